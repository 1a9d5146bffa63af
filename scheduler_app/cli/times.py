"""Moments and lengths of time as people type them."""

import re
from argparse import ArgumentTypeError
from datetime import datetime, time, timedelta

from scheduler_app.rpc.wire import FIRST_YEAR, LAST_YEAR
from scheduler_app.text import shown

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
DAYS = {"today": 0, "yesterday": -1, "tomorrow": 1}
SPAN = re.compile(r"(?:\d+(?:\.\d+)?[smhd])+")
PART = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
FORMS = "such as 18:00, yesterday 18:00, 2h (ago), 2026-11-24 or 2026-11-24T18:00"


def span(text: str) -> timedelta:
    """Return the length of time that a text says, such as "90s", "2h" or "1h30m"."""
    if not SPAN.fullmatch(text):
        raise ArgumentTypeError(f"{shown(text)} is not a length of time, such as 90s, 30m or 2h")
    try:
        return sum(
            (timedelta(**{UNITS[unit]: float(number)}) for number, unit in PART.findall(text)),
            timedelta(),
        )
    except OverflowError:
        raise ArgumentTypeError(f"{shown(text)} is too long") from None


def moment(text: str, now: datetime | None = None) -> datetime:
    """Return the moment that a text says, by the clock of this machine: a time of day is the last
    one that was, a length of time counts back from now. Raises ArgumentTypeError."""
    now = now or datetime.now().astimezone()
    try:
        if SPAN.fullmatch(text):
            return now - span(text)
        if (clock := _time(text)) is not None:
            today = _local(datetime.combine(now.date(), clock))
            return today if today <= now else _local(datetime.combine(now.date() - DAY, clock))
        return _local(wall(text, now))
    except OverflowError:
        raise ArgumentTypeError(f"{shown(text)} is too long ago") from None


def future(text: str, now: datetime | None = None) -> datetime:
    """Return the moment to come that a text says, by the clock of this machine: a time of day is
    the next one, a length of time counts from now on. Raises ArgumentTypeError."""
    now = now or datetime.now().astimezone()
    try:
        if SPAN.fullmatch(text):
            return now + span(text)
        found = _local(wall(text, now))
        if _time(text) is not None and found <= now:
            found = _local(datetime.combine(now.date() + DAY, found.timetz().replace(tzinfo=None)))
    except OverflowError:
        raise ArgumentTypeError(f"{shown(text)} is too far away") from None
    if found <= now:
        raise ArgumentTypeError(f"{shown(text)} has passed")
    return found


def wall(text: str, now: datetime | None = None) -> datetime:
    """Return what a text says, without an offset unless it has one: for the clock of a job's own
    zone. Raises ArgumentTypeError."""
    now = now or datetime.now().astimezone()
    day, _, clock = text.partition(" ")
    if day in DAYS:
        at = _time(clock) if clock else time()
        if at is None:
            raise ArgumentTypeError(f"{shown(text)} is not a time, {FORMS}")
        return datetime.combine(now.date() + timedelta(days=DAYS[day]), at)
    if (at := _time(text)) is not None:
        return datetime.combine(now.date(), at)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{shown(text)} is not a time, {FORMS}") from None
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise ArgumentTypeError(
            f"{shown(text)} is outside the years {FIRST_YEAR} to {LAST_YEAR}, of which schedules "
            "are known"
        )
    return found


DAY = timedelta(days=1)


def _time(text: str) -> time | None:
    try:
        found = time.fromisoformat(text) if ":" in text else None
    except ValueError:
        return None
    return found if found is None or found.tzinfo is None else None


def _local(found: datetime) -> datetime:
    return found if found.tzinfo else found.astimezone()
