"""When a job is due: cron expressions, time zones and jitter, as pure functions of the time.

Five fields (minute hour day-of-month month day-of-week) follow Debian's cron, whose rules CronSim
implements. Where neither minute nor hour starts with a star, a moment that the clock skips fires
right after the gap, and one that the clock repeats fires once. All other expressions fire whenever
the clock on the wall matches: not at all in a gap, at both passes of a repeated hour.

Six fields put the second first. Such an expression fires at these seconds of each minute in which
its twin, the other five fields, fires.

CronSim sees naive local time only, where it is exact. With a zone it repeats moments, loses others
where clocks shift by half an hour, and knows Debian's rules for five fields only."""

from collections.abc import Iterable, Iterator
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from itertools import chain, pairwise, takewhile
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from scheduler_app.cron_words import words
from scheduler_app.exceptions import CronError
from scheduler_app.text import shown

MAX_EXPRESSION = 200
"""Characters of a cron expression."""
MAX_ZONE = 64
"""Characters of a time zone's name."""
MAX_JITTER = 2**31 - 1
"""Seconds."""

ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


@dataclass(frozen=True, slots=True)
class _Field:
    """One field of an expression, for what an error says about it."""

    name: str
    usage: str
    first: int
    last: int
    cycle: str
    """After which its values start again."""
    names: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        return self.last - self.first + 1

    def advice(self, value: str) -> str:
        """What to write instead of this bad value."""
        if "?" in value:
            return f"use * instead of ?, or {self.usage}"
        for item in value.split(","):
            if mended := self._unwrapped(item):
                return f"a range cannot run past the end, write {mended}"
            if "/" in item and not item.partition("/")[2].strip("0").isdecimal():
                return "write a whole number of 1 or more after the /"
            if self.has_long_step(item):
                return self._without_step(item)
        return f"use {self.usage}"

    def has_long_step(self, value: str) -> bool:
        """Return whether a step leads past all values of the field, so that only one is left."""
        steps = (item.partition("/")[2] for item in value.split(","))
        return any(step.isdecimal() and int(step[:9]) > self.size for step in steps)

    def _without_step(self, item: str) -> str:
        start, _, step = item.partition("/")
        only = str(self.first) if start == "*" else start.partition("-")[0]
        return (
            f"steps start again every {self.cycle}, so a step of {step} fires at {only} alone: "
            f"write {only} if that is meant, or a step of at most {self.size}"
        )

    def _unwrapped(self, item: str) -> str:
        """A range that runs past the end, such as FRI-MON, as what it stands for."""
        start, _, end = item.partition("-")
        low, high = self._number(start), self._number(end)
        if low is None or high is None or low <= high:
            return ""
        last = self.names[-1] if start in self.names else str(self.last)
        first = self.names[0] if end in self.names else str(self.first)
        return ",".join(a if a == b else f"{a}-{b}" for a, b in ((start, last), (first, end)))

    def _number(self, text: str) -> int | None:
        if text in self.names:
            return self.first + self.names.index(text)
        number = int(text) if text.isdecimal() and len(text) <= 2 else -1
        return number if self.first <= number <= self.last else None


_FIELDS = (
    _Field("second", "0-59", 0, 59, "minute"),
    _Field("minute", "0-59", 0, 59, "hour"),
    _Field("hour", "0-23", 0, 23, "day"),
    _Field("day-of-month", "1-31, L (the last day) or LW (the last weekday)", 1, 31, "month"),
    _Field(
        "month",
        "1-12 or JAN-DEC",
        1,
        12,
        "year",
        ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"),
    ),
    _Field(
        "day-of-week",
        "0-7 (0 and 7 are Sunday) or SUN-SAT",
        0,
        6,
        "week",
        ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"),
    ),
)

_USAGE = (
    "use five fields (minute hour day-of-month month day-of-week), six with the second first, "
    f"or one of {', '.join(ALIASES)}"
)
_ZONE_USAGE = "use an IANA name such as 'Europe/Berlin' or 'UTC'"
_EPOCH = datetime(2000, 1, 1)
_HORIZON = 50 * 366 * 24 * 3600
"""Seconds. CronSim gives up after 50 years; what fires at all fires at least once in 40."""
_MIN = datetime.min.replace(tzinfo=UTC)
_MAX = datetime.max.replace(tzinfo=UTC)
_FIRST = _MIN + timedelta(days=2)
"""The first moment that a clock in any zone can show, with a day to spare: no zone is further than
a day from UTC. What would fire before it is left out, as is what no datetime can hold."""


@lru_cache(maxsize=4096)
def normalise(expression: str) -> str:
    """The expression as five or six fields in capitals, one space between them.

    Raises CronError, which names the bad field, its value and what would be right, also for an
    expression that can never fire."""
    fields = _expand(expression).upper().split()
    normal = " ".join(fields)
    if len(fields) not in (5, 6):
        raise CronError(
            f"Bad cron expression {shown(expression)} of {len(fields)} field(s): {_USAGE}"
        )
    try:
        first = next(CronSim(normal, _EPOCH), None)
    except (CronSimError, ValueError) as error:  # ValueError: a number too long for int()
        raise CronError(_complaint(expression, fields)) from error
    if any(field.has_long_step(value) for field, value in _named(fields)):
        raise CronError(_complaint(expression, fields))
    if first is None:
        raise CronError(_never(expression))
    return normal


def _expand(expression: str) -> str:
    alias = expression.strip().lower()
    if not alias:
        raise CronError(f"Empty cron expression: {_USAGE}")
    if alias.startswith("@") and alias not in ALIASES:
        raise CronError(f"Unknown cron alias {shown(expression)}: {_USAGE}")
    return ALIASES.get(alias, expression)


def _complaint(expression: str, fields: list[str]) -> str:
    for field, value in _named(fields):
        if not _is_valid(field, value):
            return (
                f"Bad {field.name} field {shown(value)} in {shown(expression)}: "
                f"{field.advice(value)}"
            )
    return _never(expression)


def _named(fields: list[str]) -> Iterable[tuple[_Field, str]]:
    return zip(_FIELDS[-len(fields) :], fields, strict=True)


def _is_valid(field: _Field, value: str) -> bool:
    """Return whether this value can be used when every other field is a star."""
    if field.has_long_step(value):
        return False
    probe = " ".join(value if each is field else "*" for each in _FIELDS)
    try:
        CronSim(probe, _EPOCH)
    except (CronSimError, ValueError):
        return False
    return True


def _never(expression: str) -> str:
    return (
        f"Cron expression {shown(expression)} never fires: no month that it names has such a day; "
        "change the day-of-month, month or day-of-week field"
    )


def explain(expression: str) -> str:
    """The schedule in English words. Raises CronError."""
    return words(_parsed(normalise(expression)))


def is_by_the_clock(expression: str) -> bool:
    """Whether it fires whenever the clock on the wall matches: not at all in a gap, at both passes
    of a repeated hour. Raises CronError."""
    minute, hour = normalise(expression).split()[-5:-3]
    return minute.startswith("*") or hour.startswith("*")


def next_fire(expression: str, after: datetime, zone: str) -> datetime | None:
    """The first moment strictly after `after` at which the expression fires in this IANA zone, in
    UTC and whole seconds. None: not within 50 years. Raises CronError."""
    return _next_fire(normalise(expression), _whole_second(after), zone)


@lru_cache(maxsize=8192)
def _next_fire(expression: str, after: datetime, zone: str) -> datetime | None:
    # Jobs share expressions, and all moments of one second share their answer. Only UTC comes in
    # here: to a cache, the two passes of a repeated hour are equal.
    return _first(expression, after, zone)


def previous_fire(expression: str, at: datetime, zone: str) -> datetime | None:
    """The last moment at or before `at` at which the expression fired, in UTC. None: not within 50
    years. Raises CronError."""
    return _previous_fire(normalise(expression), _whole_second(at), zone, _HORIZON)


def _previous_fire(expression: str, at: datetime, zone: str, within: int) -> datetime | None:
    """The last fire that is at most `within` seconds before `at`.

    Searched forwards, by halves, and not by CronSim's own way back: so it always agrees with
    next_fire."""
    longest = timedelta(seconds=min(within, _HORIZON) + 1)
    fire = _first(expression, at - min(longest, at - _MIN), zone)
    if fire is None or fire > at:
        return None
    end = at  # between end and at there is none
    while (following := _first(expression, fire, zone)) and following <= end:
        middle = following + (end - following) / 2
        later = _first(expression, middle, zone)
        if later and later <= end:
            fire = later
        else:
            fire, end = following, middle
    return fire


def _first(expression: str, after: datetime, zone: str) -> datetime | None:
    return next(_fires(expression, after, zone), None)


def _fires(expression: str, after: datetime, zone: str) -> Iterator[datetime]:
    """All fires of a normalised expression strictly after `after`, in order, in UTC."""
    twin, seconds = _split(expression)
    last = after = max(after, _FIRST)
    for minute in _twin_fires(twin, after - seconds[-1], _zone(zone)):
        for second in seconds:
            fire = minute + second
            if fire > last:
                yield fire
                last = fire


@lru_cache(maxsize=4096)
def _split(expression: str) -> tuple[str, tuple[timedelta, ...]]:
    """The five-field twin of an expression, and its seconds."""
    *second, minute, hour, day, month, weekday = expression.split()
    twin = " ".join((minute, hour, day, month, weekday))
    seconds = _parsed(expression).seconds if second else {0}
    return twin, tuple(timedelta(seconds=each) for each in sorted(seconds))


def _twin_fires(expression: str, after: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """The fires of five fields, in order: all those after `after`, perhaps some before it, and
    one that several skipped moments share once for each."""
    by_the_clock = is_by_the_clock(expression)
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
    """The local times that match, with both readings of each, to the end of the calendar."""
    walk = copy(_parsed(expression))  # a tenth of the time that parsing takes
    try:
        walk.dt = _local_start(after, zone)
        for local in walk:
            yield local, _passes(local, zone)
    except OverflowError:  # past the year 9999, here or in UTC
        return


@lru_cache(maxsize=4096)
def _parsed(expression: str) -> CronSim:
    return CronSim(expression, _EPOCH)


def _local_start(after: datetime, zone: ZoneInfo) -> datetime:
    """A local time from which a walk meets everything that comes after `after`."""
    local = after.astimezone(zone).replace(tzinfo=None, fold=0, microsecond=0)
    first, second = _passes(local, zone)
    # In a repeated hour the second pass is found while walking through the first.
    return local - max(second - first, timedelta(0))


def _passes(local: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Both readings of a local time, in UTC: equal as a rule, ascending if the clock passes it
    twice, descending if never (PEP 495)."""
    aware = local.replace(tzinfo=zone)
    return aware.astimezone(UTC), aware.replace(fold=1).astimezone(UTC)


def _end_of_gap(local: datetime, zone: ZoneInfo) -> datetime:
    """The first moment after the gap in which this local time lies; it is a whole minute."""
    first, second = _passes(local, zone)
    while first > second:
        local += timedelta(minutes=1)
        first, second = _passes(local, zone)
    return first


def _expect_text(complaint: str, value: object, longest: int, usage: str) -> None:
    if not isinstance(value, str):
        raise CronError(f"{complaint} {shown(value)}: {usage}")
    if len(value) > longest:
        raise CronError(f"{complaint} {shown(value)}: use at most {longest} characters")


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError) as error:
        raise CronError(f"Unknown time zone {shown(name)}: {_ZONE_USAGE}") from error


def _whole_second(moment: datetime) -> datetime:
    return _utc(moment).replace(microsecond=0)


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone")
    try:
        return moment.astimezone(UTC)
    except OverflowError:  # in UTC it is in the year 0 or 10000
        return _MIN if moment.year == 1 else _MAX


@dataclass(frozen=True, slots=True)
class Fire:
    """One occurrence of a schedule."""

    scheduled_for: datetime
    """The moment that the expression names (UTC)."""
    due_at: datetime
    """`scheduled_for` plus this occurrence's jitter (UTC)."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """A cron expression in a zone, with jitter: a delay of each occurrence by up to that many
    seconds.

    The delay is drawn from the seed and the occurrence, so every node computes the same and nothing
    is stored. It is always shorter than the time to the next occurrence, so the order is kept.
    Every method but validate() expects a valid schedule, and raises CronError for another."""

    expression: str
    timezone: str = "UTC"
    jitter: int = 0
    seed: str = ""

    def validate(self) -> None:
        """Raise CronError for a bad expression, an unknown zone or a bad jitter."""
        _expect_text("Bad cron expression", self.expression, MAX_EXPRESSION, _USAGE)
        normalise(self.expression)
        _expect_text("Unknown time zone", self.timezone, MAX_ZONE, _ZONE_USAGE)
        _zone(self.timezone)
        whole = isinstance(self.jitter, int) and not isinstance(self.jitter, bool)
        if not whole or not 0 <= self.jitter <= MAX_JITTER:
            usage = f"use a whole number of seconds from 0 to {MAX_JITTER:,}"
            raise CronError(f"Bad jitter {shown(self.jitter)}: {usage}")

    def explain(self) -> str:
        """The schedule in English words, without zone and jitter."""
        return explain(self.expression)

    def next(self, after: datetime) -> Fire | None:
        """The first occurrence with `due_at` later than `after`. None: not within 50 years."""
        latest = self._latest(after)
        if latest and latest.due_at > after:
            return latest
        scheduled_for = next_fire(self.expression, after, self.timezone)
        return self._fire(scheduled_for) if scheduled_for else None

    def at(self, due_at: datetime) -> Fire:
        """The occurrence that is due at this moment. If the schedule has none, because it was
        changed meanwhile, the moment counts as scheduled."""
        latest = self._latest(due_at)
        if latest and latest.due_at == due_at:
            return latest
        due_at = _utc(due_at)
        return Fire(due_at, due_at)

    def due(self, first_due: datetime, until: datetime) -> Iterator[Fire]:
        """`at(first_due)` and all later occurrences that are due by `until`, in order."""
        if first_due > until:
            return
        yield self.at(first_due)
        following = self.next(first_due)
        if following:
            yield from takewhile(lambda fire: fire.due_at <= until, self._from(following))

    def _latest(self, at: datetime) -> Fire | None:
        """The last occurrence scheduled for `at` or before, if jitter could make it due by then or
        later. Without jitter there is none to consider."""
        if not self.jitter:
            return None
        scheduled_for = _previous_fire(
            normalise(self.expression), _whole_second(at), self.timezone, self.jitter
        )
        return self._fire(scheduled_for) if scheduled_for else None

    def _fire(self, scheduled_for: datetime) -> Fire:
        if not self.jitter:
            return Fire(scheduled_for, scheduled_for)
        following = next_fire(self.expression, scheduled_for, self.timezone)
        return Fire(scheduled_for, scheduled_for + self._delay(scheduled_for, following))

    def _from(self, first: Fire) -> Iterator[Fire]:
        """This occurrence and all later ones."""
        expression = normalise(self.expression)
        moments = chain(
            [first.scheduled_for], _fires(expression, first.scheduled_for, self.timezone)
        )
        if not self.jitter:
            return (Fire(moment, moment) for moment in moments)
        return (
            Fire(moment, moment + self._delay(moment, following))
            for moment, following in pairwise(chain(moments, [None]))
            if moment
        )

    def _delay(self, scheduled_for: datetime, following: datetime | None) -> timedelta:
        """The jitter of one occurrence, in whole milliseconds."""
        longest = min(timedelta(seconds=self.jitter), _MAX - scheduled_for)
        if following:
            longest = min(longest, following - scheduled_for - timedelta(milliseconds=1))
        key = f"{self.seed} {scheduled_for.isoformat()}".encode()
        draw = int.from_bytes(blake2b(key, digest_size=8).digest())
        return timedelta(milliseconds=draw % (longest // timedelta(milliseconds=1) + 1))
