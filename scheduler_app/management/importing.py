"""`manage.py scheduler import`: the jobs of another scheduler as code, which declares them here."""

import sys
from argparse import ArgumentParser
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, OutputWrapper
from django.utils import timezone

from scheduler_app.cli.typos import suggest
from scheduler_app.importers import SOURCES, Entry, crontab
from scheduler_app.importers.code import Code

CRONTAB = "crontab"


def add_command(commands: Any) -> None:
    """Add it to a command's subparsers, with `local` as the function that carries it out."""
    parser: ArgumentParser = commands.add_parser(
        "import",
        help="Print the jobs.py for the jobs of another scheduler, where nothing is changed; exit "
        "with 1 if one of them cannot be translated.",
    )
    parser.add_argument("source", choices=(CRONTAB, *SOURCES))
    parser.add_argument(
        "file", nargs="?", metavar="FILE", help="The crontab; - is the standard input."
    )
    parser.add_argument(
        "--with-user",
        action="store_true",
        help="Lines of the crontab name a user before the command, as in /etc/crontab.",
    )
    parser.add_argument(
        "--write", type=Path, metavar="PATH", help="Write the code into this new file."
    )
    suggest(parser)
    parser.set_defaults(local=_import)


def _import(
    stdout: OutputWrapper,
    stderr: OutputWrapper,
    *,
    source: str,
    file: str | None,
    with_user: bool,
    write: Path | None,
    **_: Any,
) -> None:
    code = Code(f"{source} {file}" if file else source, timezone.now())
    for entry in _entries(source, file, with_user=with_user):
        code.add(entry)
    if write is None:
        stdout.write(code.text, ending="")
    else:
        _write(write, code.text)
        stdout.write(f"{write}: {code.jobs} job(s).")
    if code.problems:
        lines = "\n".join(code.problems)
        raise CommandError(f"{len(code.problems)} could not be translated:\n{lines}")


def _entries(source: str, file: str | None, *, with_user: bool) -> Iterable[Entry]:
    if source != CRONTAB:
        if file or with_user:
            raise CommandError(f"{source} takes neither a file nor --with-user.")
        return SOURCES[source]()
    if not file:
        raise CommandError(
            "Name the crontab: a file, or - for the standard input (crontab -l | ...)."
        )
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} cannot be read: {error}") from error
    return crontab.entries(text, with_user=with_user)


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x") as file:
            file.write(text)
    except FileExistsError as error:
        raise CommandError(
            f"{path} is there already: name a new file, and nothing is lost."
        ) from error
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error}") from error
