"""Find the fires of a schedule in a time zone.

Of a cron expression: where neither minute nor hour starts with a star, a moment that the clock
skips fires right after the gap, and one that the clock repeats fires once. All other expressions
fire whenever the clock on the wall matches: not at all in a gap, at both passes of a repeated hour.
An expression of six fields fires at its seconds of each minute in which its twin, the other five
fields, fires.

An interval fires at whole multiples of its length from its anchor, whatever clocks show.

CronSim sees naive local time only, where it is exact. With a zone it repeats moments, loses others
where clocks shift by half an hour, and knows Debian's rules for five fields only."""

from collections.abc import Iterator
from copy import copy
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import count, takewhile
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from scheduler_app.cron import expression as cron
from scheduler_app.cron.calendar import DAY, Calendar
from scheduler_app.cron.notation import EPOCH, Terms, normalise, read
from scheduler_app.exceptions import CronError
from scheduler_app.text import shown

MAX_ZONE = 64
"""Characters of a time zone's name."""
ZONE_USAGE = "use an IANA name that this machine knows, such as 'Europe/Berlin' or 'UTC'"
_HORIZON = 50 * 366 * 24 * 3600
"""Seconds. CronSim gives up after 50 years; what fires at all fires at least once in 40."""
_SECOND = timedelta(seconds=1)
_MIN = datetime.min.replace(tzinfo=UTC)
LATEST = datetime.max.replace(tzinfo=UTC)
_FIRST = _MIN + timedelta(days=2)
"""The first moment that a clock in any zone can show, with a day to spare: no zone is further than
a day from UTC. What would fire before it is left out, as is what no datetime can hold."""


def next_fire(text: str, after: datetime, zone: str) -> datetime | None:
    """Return the first moment strictly after `after` at which the schedule fires in this IANA zone,
    in UTC and whole seconds. None: not within 50 years. Raises CronError."""
    return _next_fire(normalise(text), whole_second(after), zone)


@lru_cache(maxsize=8192)
def _next_fire(text: str, after: datetime, zone: str) -> datetime | None:
    # Jobs share schedules, and all moments of one second share their answer. Only UTC comes in
    # here: to a cache, the two passes of a repeated hour are equal.
    return _first(text, after, zone)


@lru_cache(maxsize=4096)
def first_fire(text: str, zone: str) -> datetime | None:
    """Return the first fire of a normalised schedule with limits; None: they leave out all."""
    terms = read(text)
    if terms.end and not terms.start:
        return latest_fire(text, terms.end, zone, _HORIZON)
    return _first(text, (terms.start or terms.at or EPOCH) - _SECOND, zone)


def previous_fire(text: str, at: datetime, zone: str) -> datetime | None:
    """Return the last moment at or before `at` at which the schedule fired, in UTC. None: not
    within 50 years. Raises CronError."""
    return latest_fire(normalise(text), whole_second(at), zone, _HORIZON)


def latest_fire(text: str, at: datetime, zone: str, within: int) -> datetime | None:
    """Return the last fire that is at most `within` seconds before `at`.

    Searched forwards, by halves, and not by CronSim's own way back: so it always agrees with
    next_fire."""
    longest = timedelta(seconds=min(within, _HORIZON) + 1)
    fire = _first(text, at - min(longest, at - _MIN), zone)
    if fire is None or fire > at:
        return None
    end = at  # between end and at there is none
    while (following := _first(text, fire, zone)) and following <= end:
        middle = following + (end - following) / 2
        later = _first(text, middle, zone)
        if later and later <= end:
            fire = later
        else:
            fire, end = following, middle
    return fire


def _first(text: str, after: datetime, zone: str) -> datetime | None:
    return next(fires(text, after, zone), None)


def fires(text: str, after: datetime, zone: str) -> Iterator[datetime]:
    """Yield all fires of a normalised schedule strictly after `after`, in order, in UTC. With a
    calendar it ends where there is none for 50 years."""
    terms = read(text)
    after = max(after, _FIRST, terms.start - _SECOND if terms.start else _FIRST)
    moments = _outside(terms, after, zone) if terms.calendar else _all(terms, after, zone)
    end = terms.end
    return takewhile(lambda moment: moment <= end, moments) if end else moments


def _outside(terms: Terms, after: datetime, zone: str) -> Iterator[datetime]:
    """Yield the fires on days that the calendar does not leave out. The others are not gone through
    one by one."""
    tz = zone_of(zone)
    limit = _later(after, _HORIZON)
    while after < limit:
        for moment in _all(terms, after, zone):
            if terms.calendar.excludes(day := moment.astimezone(tz).date()):
                after = max(moment, _day_after(day, terms.calendar, tz) - _SECOND)
                break
            yield moment
            limit = _later(moment, _HORIZON)
        else:
            return


def _day_after(day: date, calendar: Calendar, zone: ZoneInfo) -> datetime:
    """Return the first moment of the next day that the calendar does not leave out, or of one in 50
    years."""
    for _ in range(_HORIZON // (24 * 3600)):
        if day >= LATEST.date() - DAY:
            return LATEST
        day += DAY
        if not calendar.excludes(day):
            break
    return in_utc(datetime.combine(day, time(), zone))


def _later(moment: datetime, seconds: int) -> datetime:
    return moment + min(timedelta(seconds=seconds), LATEST - moment)


def _all(terms: Terms, after: datetime, zone: str) -> Iterator[datetime]:
    """Yield the fires without limits."""
    if terms.at:
        return iter([terms.at] if terms.at > after else [])
    if terms.every:
        return _grid(terms.anchor, timedelta(seconds=terms.every), after)
    return _cron_fires(terms.cron, after, zone)


def _grid(anchor: datetime, every: timedelta, after: datetime) -> Iterator[datetime]:
    for step in count((after - anchor) // every + 1):
        if (LATEST - DAY - anchor) // every < step:
            return
        yield anchor + step * every


def _cron_fires(expression: str, after: datetime, zone: str) -> Iterator[datetime]:
    twin, seconds = _split(expression)
    last = after
    for minute in _twin_fires(twin, after - seconds[-1], zone_of(zone)):
        for second in seconds:
            fire = minute + second
            if fire > last:
                yield fire
                last = fire


@lru_cache(maxsize=4096)
def _split(expression: str) -> tuple[str, tuple[timedelta, ...]]:
    """Return the five-field twin of an expression, and its seconds."""
    *second, minute, hour, day, month, weekday = expression.split()
    twin = " ".join((minute, hour, day, month, weekday))
    seconds = cron.parsed(expression).seconds if second else {0}
    return twin, tuple(timedelta(seconds=each) for each in sorted(seconds))


def _twin_fires(expression: str, after: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """Yield the fires of five fields, in order: all those after `after`, perhaps some before it,
    and one that several skipped moments share once for each."""
    by_the_clock = cron.is_by_the_clock(expression)
    repeats: list[datetime] = []
    for local, (first, second) in _walk(expression, after, zone):
        if first > second:
            if by_the_clock:
                continue
            first = _end_of_gap(local, zone)
        while repeats and repeats[0] <= first:
            yield repeats.pop(0)
        yield first
        if by_the_clock and first < second:
            repeats.append(second)
    yield from repeats


def _walk(
    expression: str, after: datetime, zone: ZoneInfo
) -> Iterator[tuple[datetime, tuple[datetime, datetime]]]:
    """Yield the local times that match, with both readings of each, to the end of the calendar."""
    walk = copy(cron.parsed(expression))  # a tenth of the time that parsing takes
    try:
        walk.dt = _local_start(after, zone)
        for local in walk:
            yield local, _passes(local, zone)
    except OverflowError:  # past the year 9999, here or in UTC
        return


def _local_start(after: datetime, zone: ZoneInfo) -> datetime:
    """Return a local time from which a walk meets everything that comes after `after`."""
    local = after.astimezone(zone).replace(tzinfo=None, fold=0, microsecond=0)
    first, second = _passes(local, zone)
    # In a repeated hour the second pass is found while walking through the first.
    return local - max(second - first, timedelta(0))


def _passes(local: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return both readings of a local time, in UTC: equal as a rule, ascending if the clock passes
    it twice, descending if never (PEP 495)."""
    aware = local.replace(tzinfo=zone)
    return aware.astimezone(UTC), aware.replace(fold=1).astimezone(UTC)


def _end_of_gap(local: datetime, zone: ZoneInfo) -> datetime:
    """Return the first moment after the gap in which this local time lies; it is a whole minute."""
    first, second = _passes(local, zone)
    while first > second:
        local += timedelta(minutes=1)
        first, second = _passes(local, zone)
    return first


@lru_cache(maxsize=1024)
def zone_of(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError) as error:
        raise CronError(f"Unknown time zone {shown(name)}: {ZONE_USAGE}") from error


def whole_second(moment: datetime) -> datetime:
    return in_utc(moment).replace(microsecond=0)


def in_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone")
    try:
        return moment.astimezone(UTC)
    except OverflowError:  # in UTC it is in the year 0 or 10000
        return _MIN if moment.year == 1 else LATEST
