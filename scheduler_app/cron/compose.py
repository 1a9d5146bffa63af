"""The text of a schedule, from what a declaration gives."""

from datetime import UTC, date, datetime, time
from typing import Any

from scheduler_app.cron.calendar import EVERY_DAY, calendar_of
from scheduler_app.cron.fires import zone_of
from scheduler_app.cron.notation import AT, EVERY, interval_of, interval_text, moment_text
from scheduler_app.exceptions import CronError
from scheduler_app.text import shown

USAGE = "use a datetime, or text such as '2026-12-24 18:00'"


def compose(
    *,
    cron: Any,
    every: Any,
    anchor: Any,
    at: Any,
    start: Any,
    end: Any,
    calendar: Any,
    timezone: str,
) -> Any:
    """Return the text of the schedule that these arguments of @job make, most of them None. A
    moment without an offset is a time on the wall of the zone `timezone`. A `cron` that is no text
    is returned as it is. Raises CronError for any other argument that cannot be used."""
    given = [
        name for name, value in (("cron", cron), ("every", every), ("at", at)) if value is not None
    ]
    if len(given) != 1:
        which = " and ".join(f"{name}=" for name in given) if given else "none of them"
        raise CronError(f"Bad schedule: give one of cron=, every= and at=, not {which}")
    if anchor is not None and every is None:
        raise CronError("Bad schedule: anchor= is for every=")
    if not isinstance(cron, str | None):
        return cron
    text = " ".join(cron.split()) if cron is not None else _base(every, anchor, at, timezone)
    if start is not None:
        text += f" start {_moment('start', start, timezone)}"
    if end is not None:
        text += f" end {_moment('end', end, timezone, at_end=True)}"
    days = calendar_of(calendar) if calendar is not None else EVERY_DAY
    return f"{text} except {days}" if days else text


def _base(every: Any, anchor: Any, at: Any, timezone: str) -> str:
    if at is not None:
        return f"{AT} {_moment('at', at, timezone)}"
    text = f"{EVERY} {interval_text(interval_of(every))}"
    return text if anchor is None else f"{text} anchor {_moment('anchor', anchor, timezone)}"


def _moment(name: str, value: Any, timezone: str, *, at_end: bool = False) -> str:
    """Return the moment as the text of a schedule has it: UTC. A day is its first second or, at the
    end of something, its last."""
    moment = _read(value)
    if isinstance(moment, date) and not isinstance(moment, datetime):
        moment = datetime.combine(moment, time(23, 59, 59) if at_end else time())
    if not isinstance(moment, datetime) or moment.microsecond:
        raise CronError(f"Bad {name} {shown(value)}: {USAGE}")
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone_of(timezone))
    try:
        return moment_text(moment.astimezone(UTC))
    except OverflowError as error:
        raise CronError(f"Bad {name} {shown(value)}: it is out of range") from error


def _read(value: Any) -> Any:
    """Return the date or datetime that a text says; anything else as it is."""
    if not isinstance(value, str):
        return value
    for kind in (date, datetime):
        try:
            return kind.fromisoformat(value.strip())
        except ValueError:
            continue
    return value
