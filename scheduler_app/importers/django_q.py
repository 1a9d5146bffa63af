"""The schedules of django-q2."""

import ast
from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings

from scheduler_app.cron.notation import interval_text
from scheduler_app.importers import wall
from scheduler_app.importers.entry import Entry, callable_at
from scheduler_app.importers.tables import moment_of, rows

Row = Mapping[str, Any]
CALENDAR = {
    "D": "{minute} {hour} * * *",
    "W": "{minute} {hour} * * {weekday}",
    "M": "{minute} {hour} {day} * *",
    "BM": "{minute} {hour} {day} {every_2} *",
    "Q": "{minute} {hour} {day} {every_3} *",
    "Y": "{minute} {hour} {day} {month} *",
}
"""Those that follow the calendar, from their next run."""


def entries() -> Iterator[Entry]:
    """Yield what the schedules become. Raises SourceError."""
    for row in rows("django_q_schedule"):
        yield _entry(row)


def _entry(row: Row) -> Entry:
    entry = Entry(
        name=row["name"] or row["func"].rpartition(".")[2],
        says=f"{row['name'] or row['id']!r}: {row['func']}, type {row['schedule_type']}",
        function=row["func"],
        problem=callable_at(row["func"]),
        arguments={"timezone": settings.TIME_ZONE},
    )
    try:
        _schedule(entry, row)
        _arguments(entry, row)
    except (ValueError, SyntaxError, TypeError) as error:
        entry.problem = entry.problem or str(error)
    if row.get("repeats", -1) > 0 and row["schedule_type"] != "O":
        entry.notes.append(f"There it is repeated {row['repeats']} more times; give it an end=.")
    if row.get("repeats") == 0:
        entry.is_disabled = True
    if row.get("hook"):
        entry.notes.append(f"Its hook, {row['hook']}, is not called here.")
    return entry


def _schedule(entry: Entry, row: Row) -> None:
    kind = row["schedule_type"]
    if kind == "C":
        _cron(entry, row["cron"] or "")
        return
    if row["next_run"] is None:
        raise ValueError("it has no next run")
    at = moment_of(row["next_run"])
    local = at.astimezone(ZoneInfo(settings.TIME_ZONE))
    entry.says += f", next at {local}"
    if kind == "O":
        entry.arguments["at"] = at
    elif kind in ("I", "H", "BW"):
        every = {
            "I": timedelta(minutes=row["minutes"] or 1),
            "H": timedelta(hours=1),
            "BW": timedelta(weeks=2),
        }
        entry.arguments |= {"every": interval_text(int(every[kind].total_seconds())), "anchor": at}
        if kind == "BW":
            entry.notes.append("Here its time on the clock moves by an hour when clocks change.")
    elif kind in CALENDAR:
        if local.day > 28 and "{day}" in CALENDAR[kind]:
            raise ValueError(
                f"day {local.day} is not in every month, and django-q2 moves to the last one: use L"
            )
        entry.arguments["cron"] = CALENDAR[kind].format(
            minute=local.minute,
            hour=local.hour,
            weekday=f"{local:%a}".upper(),
            day=local.day,
            month=local.month,
            every_2=_months(local.month, 2),
            every_3=_months(local.month, 3),
        )
    else:
        raise ValueError(f"its type {kind!r} is not known")


def _months(month: int, step: int) -> str:
    return ",".join(
        str(each) for each in sorted((month - 1 + n) % 12 + 1 for n in range(0, 12, step))
    )


def _cron(entry: Entry, text: str) -> None:
    entry.says += f" {text!r}"
    fields = text.split()
    if len(fields) > 6:
        raise ValueError("its expression has a field for the year")
    if len(fields) == 6:  # croniter's last field is the second
        fields.insert(0, fields.pop())
    if fields[-3:-2] != ["*"] and fields[-3].startswith("*/") and fields[-1] != "*":
        fields[-3] = fields[-3].replace("*", "1-31", 1)  # croniter: either day field is enough
    cron = " ".join(fields)
    entry.arguments["cron"] = cron
    entry.fires = partial(wall.fires, cron, settings.TIME_ZONE, gap=gap_of(cron), twice=True)


def gap_of(cron: str) -> wall.Gap:
    """Return what croniter makes of times that the clock skips: nothing, if all hours fire."""
    return wall.Gap.SKIPPED if cron.split()[-4] == "*" else wall.Gap.AFTER


def _arguments(entry: Entry, row: Row) -> None:
    if row["args"]:
        args = ast.literal_eval(row["args"])
        entry.arguments["args"] = list(args) if isinstance(args, tuple) else [args]
    if row["kwargs"]:
        entry.arguments["kwargs"] = _kwargs(row["kwargs"])


def _kwargs(text: str) -> dict[str, Any]:
    """Return keyword arguments that are written as in a call, or as a dictionary."""
    if text.lstrip().startswith("{"):
        value: dict[str, Any] = ast.literal_eval(text)
        return value
    call: Any = ast.parse(f"f({text})", mode="eval").body
    return {keyword.arg or "": ast.literal_eval(keyword.value) for keyword in call.keywords}
