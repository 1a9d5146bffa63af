"""Read the text of a schedule: a cron expression, an interval or one moment, and what limits it.

0 3 * * *
@every 5m
@every 2h anchor 2026-01-01T08:00:00Z
@at 2026-12-24T18:00:00Z
0 3 * * * start 2026-01-01T00:00:00Z end 2026-06-30T21:59:59Z except SAT,SUN,12-25
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial

from scheduler_app.cron import expression
from scheduler_app.cron.calendar import EVERY_DAY, Calendar, calendar_of
from scheduler_app.exceptions import CronError
from scheduler_app.text import shown

MAX_TEXT = 2_000
"""Characters."""
USAGE = f"{expression.USAGE}; an interval such as '@every 5m'; or '@at' and a moment"
EVERY, AT = "@every", "@at"
CLAUSES = ("anchor", "start", "end", "except")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""From which intervals are counted that have no anchor."""
MOMENT_USAGE = "write it with its offset from UTC and without fractions: 2026-12-24T18:00:00Z"
INTERVAL_USAGE = (
    "use whole seconds, minutes, hours, days or weeks: '90s', '5m', '1h30m', '2d', '1w'"
)
LONGEST_INTERVAL = timedelta(days=3660)
_UNITS = {"w": 7 * 86_400, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_INTERVAL = re.compile(r"(?:\d{1,10}[wdhms])+", re.ASCII)
_PART = re.compile(r"(\d+)([wdhms])", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the text of a schedule says. Just one of `cron`, `every` and `at` is set."""

    cron: str = ""
    """Normalised."""
    every: int = 0
    """Seconds, counted from `anchor`: whatever clocks show meanwhile."""
    anchor: datetime = EPOCH
    at: datetime | None = None
    start: datetime | None = None
    """It does not fire before this moment (UTC)."""
    end: datetime | None = None
    """It does not fire after this moment (UTC)."""
    calendar: Calendar = EVERY_DAY

    @property
    def is_limited(self) -> bool:
        return bool(self.start or self.end or self.calendar)

    @property
    def base(self) -> str:
        """The text without its limits."""
        if self.at:
            return f"{AT} {moment_text(self.at)}"
        if self.every:
            anchor = f" anchor {moment_text(self.anchor)}" if self.anchor != EPOCH else ""
            return f"{EVERY} {interval_text(self.every)}{anchor}"
        return self.cron

    def __str__(self) -> str:
        """Return the text in its normal form."""
        start = f"start {moment_text(self.start)}" if self.start else ""
        end = f"end {moment_text(self.end)}" if self.end else ""
        days = f"except {self.calendar}" if self.calendar else ""
        return " ".join(filter(None, (self.base, start, end, days)))


def normalise(text: str) -> str:
    """Return the text of a schedule in its normal form. Raises CronError, which names what is bad
    in it and what would be right."""
    return str(read(text))


@lru_cache(maxsize=4096)
def read(text: str) -> Terms:
    """Return what the text of a schedule says. Raises CronError, as above."""
    base, clauses = _clauses(text)
    days = calendar_of(clauses.pop("except")) if "except" in clauses else EVERY_DAY
    times = {name: _moment(f"{name} {value}", value) for name, value in clauses.items()}
    anchor = times.pop("anchor", None)
    if anchor and not base.lower().startswith(f"{EVERY} "):
        raise CronError(f"Bad schedule {shown(text)}: only an interval has an anchor")
    start, end = times.get("start"), times.get("end")
    if start and end and end < start:
        raise CronError(f"Bad schedule {shown(text)}: it ends before it starts")
    kind, _, value = base.partition(" ")
    limited = partial(Terms, start=start, end=end, calendar=days)
    if kind.lower() == EVERY:
        return limited(every=interval_of(value), anchor=anchor or EPOCH)
    if kind.lower() == AT:
        return limited(at=_moment(base, value))
    return limited(cron=expression.normalise(base))


def _clauses(text: str) -> tuple[str, dict[str, str]]:
    """Return what comes before the first clause, and the clauses by name."""
    base: list[str] = []
    clauses: dict[str, list[str]] = {}
    words = base
    for word in text.split():
        if (name := word.lower()) in CLAUSES:
            if name in clauses:
                raise CronError(f"Bad schedule {shown(text)}: it has two of {name!r}")
            words = clauses[name] = []
        else:
            words.append(word)
    return " ".join(base), {name: " ".join(value) for name, value in clauses.items()}


def _moment(clause: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or moment.microsecond:
        raise CronError(f"Bad moment in {shown(clause)}: {MOMENT_USAGE}")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise CronError(f"Bad moment in {shown(clause)}: it is out of range") from error


def moment_text(moment: datetime) -> str:
    return f"{moment.replace(tzinfo=None).isoformat()}Z"


def interval_of(value: object) -> int:
    """Return an interval, given as text or as a timedelta, in seconds. Raises CronError."""
    if isinstance(value, timedelta):
        length = value
    elif isinstance(value, str) and _INTERVAL.fullmatch(value.strip().lower()):
        parts = _PART.findall(value.lower())
        seconds = sum(int(number) * _UNITS[unit] for number, unit in parts)
        length = timedelta(seconds=min(seconds, 10**12))
    else:
        raise CronError(f"Bad interval {shown(value)}: {INTERVAL_USAGE}")
    if length % timedelta(seconds=1) or not timedelta(0) < length <= LONGEST_INTERVAL:
        limits = f"from 1 second to {LONGEST_INTERVAL.days:,} days"
        raise CronError(f"Bad interval {shown(value)}: {INTERVAL_USAGE}, {limits}")
    return int(length.total_seconds())


def interval_text(seconds: int) -> str:
    """Return the interval as interval_of() takes it, in the largest units."""
    parts = []
    for unit, size in list(_UNITS.items())[1:]:
        number, seconds = divmod(seconds, size)
        parts.append(f"{number}{unit}" if number else "")
    return "".join(parts)
