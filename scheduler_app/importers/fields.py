"""The fields of other cron dialects, as sets of values, and as this project writes them."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from scheduler_app.cron.calendar import WEEKDAYS

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
SUNDAY_FIRST = ("SUN", *WEEKDAYS[:-1])
_PART = re.compile(r"(\*|\w+)(?:-(\w+))?(?:/(\d+))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Unit:
    """What the values of one field may be."""

    title: str
    first: int
    last: int
    names: Sequence[str] = ()

    @property
    def all(self) -> range:
        return range(self.first, self.last + 1)

    def values(self, text: str) -> frozenset[int]:
        """Return the values of a field: numbers, names, ranges, also past the end, lists and steps.
        Raises ValueError, which names what is none."""
        found: set[int] = set()
        for part in text.split(","):
            match = _PART.fullmatch(part.strip())
            if not match or (match[1] == "*" and match[2]):
                raise ValueError(f"{self.title} {text!r} cannot be read")
            found.update(self._range(match[1], match[2])[:: self._step(match[3], text)])
        return frozenset(found)

    def _range(self, begin: str, end: str | None) -> Sequence[int]:
        if begin == "*":
            return self.all
        low = self._number(begin)
        high = self._number(end) if end else low
        return (
            range(low, high + 1)
            if low <= high
            else (*range(low, self.last + 1), *range(self.first, high + 1))
        )

    def _step(self, step: str | None, text: str) -> int:
        if step is not None and int(step) == 0:
            raise ValueError(f"{self.title} {text!r} has a step of 0")
        return int(step or 1)

    def _number(self, text: str) -> int:
        if text[:3].upper() in self.names:
            return self.first + list(self.names).index(text[:3].upper())
        number = int(text) if text.isdecimal() else -1
        if number not in self.all:
            raise ValueError(f"{self.title} {text!r} is not from {self.first} to {self.last}")
        return number


SECOND = Unit("second", 0, 59)
MINUTE = Unit("minute", 0, 59)
HOUR = Unit("hour", 0, 23)
DAY = Unit("day of month", 1, 31)
MONTH = Unit("month", 1, 12, MONTHS)
WEEKDAY = Unit("day of week", 0, 6, SUNDAY_FIRST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """When an entry fires whose day of month AND day of week must both match."""

    seconds: Collection[int] = (0,)
    minutes: Collection[int]
    hours: Collection[int]
    days: Collection[int]
    months: Collection[int]
    weekdays: Collection[int]
    """0 is Sunday."""
    by_the_clock: bool
    """Whether minute or hour was written with a star, and a repeated hour counts twice."""

    @property
    def cron(self) -> str:
        """The expression, for which the calendar leaves out the weekdays that do not match."""
        minute, hour = set(self.minutes), set(self.hours)
        fields = [
            _text(minute, MINUTE, star=self.by_the_clock),
            _text(hour, HOUR, star=self.by_the_clock),
            _text(set(self.days), DAY),
            _text(set(self.months), MONTH),
            "*" if self.calendar else _text(set(self.weekdays), WEEKDAY),
        ]
        seconds = set(self.seconds)
        if seconds != {0}:
            fields.insert(0, _text(seconds, SECOND, star=True))
        return " ".join(fields)

    @property
    def calendar(self) -> list[str]:
        """The weekdays to leave out, if both day fields are limited: here either would do."""
        limited = set(self.days) != set(DAY.all) and set(self.weekdays) != set(WEEKDAY.all)
        lacking = set(WEEKDAY.all) - set(self.weekdays) if limited else set()
        return [name for name in WEEKDAYS if SUNDAY_FIRST.index(name) in lacking]


def _text(values: set[int], unit: Unit, *, star: bool = False) -> str:
    ordered = sorted(values)
    if ordered == list(unit.all):
        return "*"
    steps = {after - before for before, after in pairwise(ordered)}
    step = steps.pop() if len(steps) == 1 else 0
    if star and step and ordered == list(unit.all[::step]):
        return f"*/{step}"
    if step > 1 and len(ordered) > 3:
        return f"{ordered[0]}-{ordered[-1]}/{step}"
    return ",".join(_runs(ordered, unit))


def _runs(values: Iterable[int], unit: Unit) -> Iterable[str]:
    runs: list[list[int]] = []
    for value in values:
        if runs and runs[-1][-1] == value - 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    for run in runs:
        if len(run) > 2:
            yield f"{_label(run[0], unit)}-{_label(run[-1], unit)}"
        else:
            yield from (_label(value, unit) for value in run)


def _label(value: int, unit: Unit) -> str:
    return unit.names[value - unit.first] if unit.names else str(value)
