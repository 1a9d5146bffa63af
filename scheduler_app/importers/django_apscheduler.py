"""The jobs of a project's own scheduler in the table of django-apscheduler.

They are pickled there. Only what a trigger is made of is read; an entry that has anything else is
not translated."""

import io
import pickle
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.cron.expressions import AllExpression, RangeExpression
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from scheduler_app.cron.notation import interval_text
from scheduler_app.importers.entry import Entry, callable_at
from scheduler_app.importers.fields import DAY, HOUR, MINUTE, MONTH, SECOND, WEEKDAY, Times
from scheduler_app.importers.tables import moment_of, rows
from scheduler_app.models import Job
from scheduler_app.text import shown

ALLOWED = {
    "datetime": {"datetime", "date", "timedelta", "timezone"},
    "zoneinfo": {"ZoneInfo"},
    "pytz": {"_UTC", "_p"},
    "builtins": {"set", "frozenset"},
}
TRIGGERS = "apscheduler.triggers."
UNITS = {
    "month": MONTH,
    "day": DAY,
    "day_of_week": WEEKDAY,
    "hour": HOUR,
    "minute": MINUTE,
    "second": SECOND,
}
BOTH = "APScheduler fires where day and day of week both match: the calendar leaves out the rest."


class _Unpickler(pickle.Unpickler):
    """Makes triggers, moments and plain values, and refuses all else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("builtins", "getattr"):
            return _attribute
        if name in ALLOWED.get(module, ()):
            return super().find_class(module, name)
        if module.startswith(TRIGGERS) and "." not in name:
            found = super().find_class(module, name)
            if (
                isinstance(found, type) and found.__module__ == module
            ):  # no function that it imports
                return found
        raise pickle.UnpicklingError(f"it has a {module}.{name}, which is not read")


def _attribute(owner: object, name: str) -> Any:
    """Return the one attribute that a pickled zone asks for."""
    if (owner, name) == (ZoneInfo, "_unpickle"):
        return ZoneInfo._unpickle  # type: ignore[attr-defined]
    raise pickle.UnpicklingError(f"it has an attribute {name}, which is not read")


def entries() -> Iterator[Entry]:
    """Yield what the jobs become that are not this scheduler's own. Raises SourceError."""
    own = set(Job.objects.values_list("name", flat=True))
    for row in rows("django_apscheduler_djangojob"):
        if row["id"] not in own:
            yield _entry(row)


def _entry(row: Mapping[str, Any]) -> Entry:
    entry = Entry(name=row["id"], says=f"{row['id']!r}")
    try:
        state = _Unpickler(io.BytesIO(bytes(row["job_state"]))).load()
        _job(entry, state)
        _schedule(entry, state["trigger"])
    except Exception as error:  # whatever bytes there are
        entry.problem = entry.problem or f"it cannot be read: {shown(error)}"
    entry.is_disabled = row["next_run_time"] is None
    return entry


def _job(entry: Entry, state: Mapping[str, Any]) -> None:
    reference = state["func"]
    entry.says += f": {reference}, {state['trigger']}"
    entry.function = str(reference).replace(":", ".")
    entry.problem = callable_at(entry.function)
    if state.get("args"):
        entry.arguments["args"] = list(state["args"])
    if state.get("kwargs"):
        entry.arguments["kwargs"] = dict(state["kwargs"])
    if state.get("max_instances", 1) > 1:
        entry.arguments["overlap"] = "allow"


def _schedule(entry: Entry, trigger: BaseTrigger) -> None:
    match trigger:
        case DateTrigger():
            entry.arguments["at"] = moment_of(trigger.run_date)
        case IntervalTrigger():
            seconds = trigger.interval.total_seconds()
            if seconds % 1 or not seconds:
                raise ValueError(f"an interval of {seconds} s is no whole number of seconds")
            entry.arguments |= {
                "every": interval_text(int(seconds)),
                "anchor": moment_of(trigger.start_date),
            }
        case CronTrigger():
            _cron(entry, trigger)
        case _:
            raise ValueError(f"its trigger, {trigger}, is neither cron nor interval nor date")
    if getattr(trigger, "jitter", None):
        entry.arguments["jitter"] = int(trigger.jitter)
        trigger.jitter = None
    if getattr(trigger, "end_date", None):
        entry.arguments["end"] = moment_of(trigger.end_date)


def _cron(entry: Entry, trigger: CronTrigger) -> None:
    fields = {field.name: field for field in trigger.fields}
    for name in ("year", "week"):
        if str(fields[name]) != "*":
            raise ValueError(
                f"its trigger has {name}={str(fields[name])!r}, which no schedule here has"
            )
    values = {name: _values(name, fields[name].expressions) for name in UNITS}
    times = Times(
        seconds=values["second"],
        minutes=values["minute"],
        hours=values["hour"],
        days=values["day"],
        months=values["month"],
        weekdays={(day + 1) % 7 for day in values["day_of_week"]},  # theirs begin on Monday
        by_the_clock=any(str(fields[name]).startswith("*") for name in ("minute", "hour")),
    )
    entry.arguments |= {"cron": times.cron, "timezone": str(trigger.timezone)}
    if times.calendar:
        entry.arguments["calendar"] = times.calendar
        entry.notes.append(BOTH)
    if trigger.start_date:
        entry.arguments["start"] = moment_of(trigger.start_date)
    entry.fires = partial(_fires, trigger)


def _values(name: str, expressions: Iterable[Any]) -> set[int]:
    """Return the values of a field, whose weekdays begin with 0 for Monday."""
    found: set[int] = set()
    unit = UNITS[name]
    for expression in expressions:
        if type(expression) is not AllExpression and not isinstance(expression, RangeExpression):
            raise ValueError(
                f"its trigger has {name}={str(expression)!r}: write it by hand, say L or FRI#2"
            )
        first = getattr(expression, "first", None)
        last = getattr(expression, "last", None)
        first = unit.first if first is None else first
        found.update(range(first, (unit.last if last is None else last) + 1, expression.step or 1))
    return found


def _fires(trigger: CronTrigger, after: datetime) -> Iterator[datetime]:
    moment = trigger.get_next_fire_time(None, after)
    while moment:
        yield moment.astimezone(UTC)
        moment = trigger.get_next_fire_time(moment, moment)
