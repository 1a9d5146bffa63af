"""The periodic tasks of django-celery-beat."""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

from scheduler_app.cron.notation import interval_text
from scheduler_app.importers import wall
from scheduler_app.importers.entry import Entry, callable_at
from scheduler_app.importers.fields import DAY, HOUR, MINUTE, MONTH, WEEKDAY, Times
from scheduler_app.importers.tables import moment_of, rows
from scheduler_app.text import shown

PREFIX = "django_celery_beat_"
CLEANUP = "celery.backend_cleanup"
BOTH = (
    "Celery fires where day of month and day of week both match: the calendar leaves out the rest."
)
Row = Mapping[str, Any]


def entries() -> Iterator[Entry]:
    """Yield what the periodic tasks become. Raises SourceError."""
    schedules = {
        kind: {row["id"]: row for row in rows(f"{PREFIX}{kind}schedule")}
        for kind in ("crontab", "interval", "clocked", "solar")
    }
    for task in rows(f"{PREFIX}periodictask"):
        if task["task"] != CLEANUP:  # it cleans Celery's own results
            yield _entry(task, schedules)


def _entry(task: Row, schedules: Mapping[str, Mapping[int, Row]]) -> Entry:
    kind = next((kind for kind in schedules if task[f"{kind}_id"] is not None), "")
    schedule = schedules[kind].get(task[f"{kind}_id"], {}) if kind else {}
    entry = Entry(
        name=task["name"],
        says=f"{task['name']!r}: {task['task']}",
        function=task["task"],
        is_disabled=not task["enabled"],
        problem=callable_at(task["task"]),
    )
    try:
        _SCHEDULES[kind](entry, schedule)
        _arguments(entry, task)
    except (KeyError, ValueError, TypeError) as error:
        entry.problem = entry.problem or str(error)
    _limits(entry, task)
    if task.get("queue"):
        entry.notes.append(
            f"There it is sent to the queue {task['queue']!r}; here its run is in the scheduler."
        )
    return entry


def _crontab(entry: Entry, row: Row) -> None:
    zone = str(row["timezone"])
    entry.says += (
        f", crontab {row['minute']} {row['hour']} {row['day_of_month']} {row['month_of_year']} "
        f"{row['day_of_week']} in {zone}"
    )
    times = Times(
        minutes=MINUTE.values(row["minute"]),
        hours=HOUR.values(row["hour"]),
        days=DAY.values(row["day_of_month"]),
        months=MONTH.values(row["month_of_year"]),
        weekdays=WEEKDAY.values(row["day_of_week"]),
        by_the_clock=row["minute"].startswith("*") or row["hour"].startswith("*"),
    )
    entry.arguments |= {"cron": times.cron, "timezone": zone}
    if times.calendar:
        entry.arguments["calendar"] = times.calendar
        entry.notes.append(BOTH)
    text = f"{times.cron} except {','.join(times.calendar)}" if times.calendar else times.cron
    entry.fires = partial(wall.fires, text, zone, gap=wall.Gap.SHIFTED, twice=False)


def _interval(entry: Entry, row: Row) -> None:
    entry.says += f", every {row['every']} {row['period']}"
    if row["period"] == "microseconds":
        raise ValueError("an interval of microseconds is too short: one second is the least")
    length = timedelta(**{row["period"]: row["every"]})
    entry.arguments["every"] = interval_text(int(length.total_seconds()))
    entry.notes.append(
        "Celery counts from the last run; here the times are fixed, on whole multiples."
    )


def _clocked(entry: Entry, row: Row) -> None:
    at = moment_of(row["clocked_time"])
    entry.says += f", once at {at}"
    entry.arguments["at"] = at


def _solar(entry: Entry, row: Row) -> None:
    raise ValueError(
        f"its schedule follows the sun ({row.get('event')}), which no schedule here does"
    )


def _none(entry: Entry, row: Row) -> None:
    raise ValueError("it has no schedule")


_SCHEDULES: Mapping[str, Callable[[Entry, Row], None]] = {
    "crontab": _crontab,
    "interval": _interval,
    "clocked": _clocked,
    "solar": _solar,
    "": _none,
}


def _arguments(entry: Entry, task: Row) -> None:
    for name, kind in (("args", list), ("kwargs", dict)):
        value = json.loads(task[name] or "null")
        if value and not isinstance(value, kind):
            raise ValueError(f"its {name}, {shown(task[name])}, are no JSON {kind.__name__}")
        if value:
            entry.arguments[name] = value


def _limits(entry: Entry, task: Row) -> None:
    for column, name in (("start_time", "start"), ("expires", "end")):
        if task.get(column):
            entry.arguments[name] = moment_of(task[column])
    if task.get("one_off") and "at" not in entry.arguments and not entry.problem:
        entry.problem = (
            "it fires once, at the next moment of its schedule: declare it with at= that moment"
        )
