"""Read cron expressions: five fields with Debian's rules, six with seconds first, and aliases."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cronsim import CronSim, CronSimError

from scheduler_app.cron.words import words
from scheduler_app.exceptions import CronError
from scheduler_app.text import shown

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
        """Return what to write instead of this bad value."""
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
        """Return what a range that runs past the end, such as FRI-MON, means; empty for any
        other."""
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

USAGE = (
    "use five fields (minute hour day-of-month month day-of-week), six with the second first, "
    f"or one of {', '.join(ALIASES)}"
)
_EPOCH = datetime(2000, 1, 1)


@lru_cache(maxsize=4096)
def normalise(expression: str) -> str:
    """Return the expression as five or six fields in capitals, one space between them.

    Raises CronError, which names the bad field, its value and what would be right, also for an
    expression that can never fire."""
    fields = _expand(expression).upper().split()
    normal = " ".join(fields)
    if len(fields) not in (5, 6):
        raise CronError(
            f"Bad cron expression {shown(expression)} of {len(fields)} field(s): {USAGE}"
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
        raise CronError(f"Empty cron expression: {USAGE}")
    if alias.startswith("@") and alias not in ALIASES:
        raise CronError(f"Unknown cron alias {shown(expression)}: {USAGE}")
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


@lru_cache(maxsize=4096)
def explain(expression: str) -> str:
    """Return the schedule in English words. Raises CronError."""
    return words(parsed(normalise(expression)))


def is_by_the_clock(expression: str) -> bool:
    """Return whether it fires whenever the clock on the wall matches: not at all in a gap, at both
    passes of a repeated hour. Raises CronError."""
    minute, hour = normalise(expression).split()[-5:-3]
    return minute.startswith("*") or hour.startswith("*")


@lru_cache(maxsize=4096)
def parsed(expression: str) -> CronSim:
    return CronSim(expression, _EPOCH)
