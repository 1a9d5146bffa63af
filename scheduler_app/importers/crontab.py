"""The lines of a crontab."""

import re
import shlex
from collections.abc import Iterator

from scheduler_app.cron.expression import ALIASES
from scheduler_app.importers.entry import Entry

_VARIABLE = re.compile(r"\s*(\w+)\s*=\s*(.*)")
_ZONES = ("CRON_TZ", "TZ")
_DIRECTORY = re.compile(r"\s*cd\s+[^\s&|;]+\s*&&\s*")
_OUTPUT = re.compile(r"(?:\s*(?:\d?>&\d|[\d&]?>>?\s*[^\s&|;<>]+))+\s*$")
_SHELL = re.compile(r"[|&;<>()`$*?\[\]{}~#\\]")
"""Characters for which a line may need a shell."""
_SETTING = re.compile(r"[A-Za-z_]\w*=.*")
_PYTHON = re.compile(r"(?:\S*/)?(?:env|python[\d.]*)")


def entries(text: str, *, with_user: bool = False) -> Iterator[Entry]:
    """Yield what the lines of a crontab become; `with_user`: they name a user before the command,
    as in /etc/crontab."""
    zone = ""
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if variable := _VARIABLE.fullmatch(line):
            if variable[1] in _ZONES:
                zone = variable[2].strip().strip("\"'")
            continue
        yield _entry(line.strip(), zone, with_user)


def _entry(line: str, zone: str, with_user: bool) -> Entry:
    fields = 1 if line.startswith("@") else 5
    words = line.split(None, fields + with_user)
    command = words[-1] if len(words) > fields + with_user else ""
    cron = " ".join(words[:fields])
    entry = Entry(name=_name(command), says=line, arguments={"cron": cron})
    if zone:
        entry.arguments["timezone"] = zone
    if with_user and command:
        entry.notes.append(f"There it runs as {words[fields]}, here as the scheduler's user.")
    if not command:
        entry.problem = "it has no command"
    elif cron.startswith("@") and cron.lower() not in ALIASES:
        entry.problem = f"{cron} is no time: nothing fires because a scheduler starts"
    elif "%" in command.replace("\\%", ""):
        entry.problem = "its command ends at the %, where its input begins: write a function"
    _call(entry, command.replace("\\%", "%"))
    return entry


def _call(entry: Entry, line: str) -> None:
    """Make it a management command, if it is one without a shell's help, or else a shell line."""
    without = _DIRECTORY.sub("", line, count=1)
    bare = _OUTPUT.sub("", without)
    try:
        words = shlex.split(bare)
    except ValueError:
        words = []
    at = next((n for n, word in enumerate(words) if word.rpartition("/")[2] == "manage.py"), -1)
    before, after = words[: max(at, 0)], words[at + 1 :]
    settings = [word for word in before if _SETTING.fullmatch(word)]
    others = [word for word in before if word not in settings and not _PYTHON.fullmatch(word)]
    if at < 0 or others or not after or _SHELL.search(bare):
        entry.shell = line
        return
    entry.command = after
    if settings:
        entry.notes.append(f"The scheduler's own environment holds, not {' '.join(settings)}.")
    if bare != without:
        entry.notes.append("What it prints is kept with the run, not in a file.")


def _name(command: str) -> str:
    """Return the name of the management command or, failing that, of the program."""
    words: list[str] = re.findall(r"[^\s&|;<>]+", _DIRECTORY.sub("", command))
    names = [word.rpartition("/")[2] for word in words]
    if "manage.py" in names[:-1]:
        return names[names.index("manage.py") + 1]
    programs = (n for n in names if n and not _SETTING.fullmatch(n) and not _PYTHON.fullmatch(n))
    return next(programs, command)
