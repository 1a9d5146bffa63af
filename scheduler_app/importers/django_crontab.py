"""CRONJOBS of the settings, as django-crontab has them."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings

from scheduler_app.importers.entry import Entry, callable_at
from scheduler_app.importers.tables import SourceError
from scheduler_app.text import shown

CALL_COMMAND = "django.core.management.call_command"


def entries() -> Iterator[Entry]:
    """Yield what the entries of CRONJOBS become. Raises SourceError."""
    jobs = getattr(settings, "CRONJOBS", None)
    if not isinstance(jobs, list | tuple):
        raise SourceError("The settings have no list CRONJOBS.")
    for entry in jobs:
        yield _entry(entry)


def _entry(line: Any) -> Entry:
    says = f"CRONJOBS: {shown(line)}"
    if (
        not isinstance(line, list | tuple)
        or len(line) < 2
        or not all(isinstance(each, str) for each in line[:2])
    ):
        return Entry(
            name="cronjob", says=says, problem="it is no pair of a schedule and a function"
        )
    cron, path, *more = line
    args = next((list(each) for each in more if isinstance(each, list | tuple)), [])
    kwargs = next((dict(each) for each in more if isinstance(each, Mapping)), {})
    entry = Entry(name=path.rpartition(".")[2], says=says, arguments={"cron": cron})
    if any(isinstance(each, str) for each in more):
        entry.notes.append("Its output is kept with the run, not in a file.")
    if path == CALL_COMMAND and args and all(isinstance(each, str) for each in args):
        entry.name, entry.command, entry.options = args[0], args, kwargs
        return entry
    entry.function, entry.problem = path, callable_at(path)
    if args:
        entry.arguments["args"] = args
    if kwargs:
        entry.arguments["kwargs"] = kwargs
    return entry
