"""Say in English when a schedule fires, and why it does not."""

from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from scheduler_app.cron import expression
from scheduler_app.cron.fires import zone_of
from scheduler_app.cron.notation import EPOCH, Terms, read
from scheduler_app.cron.words import listed

MOST_DAYS = 6
"""So many days of a calendar are named, but for one more."""
_UNITS = (("week", 604_800), ("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


@lru_cache(maxsize=4096)
def explain(text: str, zone: str) -> str:
    """Return the schedule, with its limits, in English words; its moments in this zone. Raises
    CronError."""
    terms, tz = read(text), zone_of(zone)
    said = _base(terms, tz)
    if terms.start:
        said += f", from {_shown(terms.start, tz)} on"
    if terms.end:
        said += f", until {_shown(terms.end, tz)}"
    return f"{said}, not on {_days(terms.calendar.words())}" if terms.calendar else said


def _days(words: list[str]) -> str:
    untold = len(words) - MOST_DAYS
    return listed([*words[:MOST_DAYS], f"{untold} more days"] if untold > 1 else words, "or")


def _base(terms: Terms, zone: ZoneInfo) -> str:
    if terms.at:
        return f"Once, at {_shown(terms.at, zone)}"
    if not terms.every:
        return expression.explain(terms.cron)
    counted = f", counted from {_shown(terms.anchor, zone)}" if terms.anchor != EPOCH else ""
    return f"Every {_interval(terms.every)}{counted}"


def _interval(seconds: int) -> str:
    unit, size = next((unit, size) for unit, size in _UNITS if seconds % size == 0)
    return f"{seconds // size:,} {unit}s" if seconds > size else unit


def left_out(text: str, moment: datetime, zone: str) -> str:
    """Return which limit of the schedule leaves this moment out, as "it ended at ..."; empty if
    none does."""
    terms, tz = read(text), zone_of(zone)
    day = moment.astimezone(tz).date()
    if terms.start and moment < terms.start:
        return f"it starts at {_shown(terms.start, tz)}"
    if terms.end and moment > terms.end:
        return f"it ended at {_shown(terms.end, tz)}"
    return f"its calendar leaves out {day:%A}, {day}" if terms.calendar.excludes(day) else ""


def _shown(moment: datetime, zone: ZoneInfo) -> str:
    local = moment.astimezone(zone)
    return f"{local:%Y-%m-%d %H:%M:%S}" if local.second else f"{local:%Y-%m-%d %H:%M}"
