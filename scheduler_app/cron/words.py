"""Say in English when a cron expression fires.

The words are written from the values at which it fires, not from its text: expressions that fire
alike read alike, and a field that is full says nothing, however it is written."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise, product

from cronsim import CronSim

_FEW_TIMES = 4
"""Up to so many times of day are listed one by one."""
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_LAST_DAYS = ((CronSim.LAST, "the last day"), (CronSim.LAST_WEEKDAY, "the last weekday"))


def words(cron: CronSim) -> str:
    """Return the times and the days at which the parsed expression fires."""
    text = " ".join(filter(None, (_time(cron), _date(cron))))
    return text[0].upper() + text[1:]


@dataclass(frozen=True, slots=True)
class _Values:
    """The values of one unit at which an expression fires."""

    unit: str
    values: list[int]
    first: int = 0
    size: int = 60

    @property
    def is_full(self) -> bool:
        return len(self.values) == self.size

    @property
    def is_range(self) -> bool:
        return self._step == 1

    @property
    def every(self) -> str:
        """Return "every fifth minute" if the values have one step from end to end, else ""."""
        step, count = self._step, len(self.values)
        if self.is_full:
            return f"every {self.unit}"
        if step > 1 and count > 3 and self.values[0] == self.first and step * count == self.size:
            return f"every {_step_ordinal(step)} {self.unit}"
        return ""

    def __str__(self) -> str:
        if self.every:
            return self.every
        if self._step and len(self.values) > (2 if self.is_range else 4):
            step = "" if self.is_range else f" {_step_ordinal(self._step)}"
            return f"every{step} {self.unit} from {self.values[0]} through {self.values[-1]}"
        plural = "s" if len(self.values) > 1 else ""
        return f"{self.unit}{plural} {listed(_ranges(self.values))}"

    @property
    def _step(self) -> int:
        """The one distance between all neighbours; 0 if they differ."""
        steps = {after - before for before, after in pairwise(self.values)}
        return steps.pop() if len(steps) == 1 else 0


def _time(cron: CronSim) -> str:
    """Return the time of day."""
    second = _Values("second", sorted(cron.seconds))
    minute = _Values("minute", sorted(cron.minutes))
    hour = _Values("hour", sorted(cron.hours), size=24)
    on_the_minute = second.values == [0]
    if len(second.values) * len(minute.values) * len(hour.values) <= _FEW_TIMES:
        times = product(hour.values, minute.values, second.values)
        return f"at {listed(_clock(*time, is_short=on_the_minute) for time in times)}"
    if on_the_minute:
        return _minutes(minute, hour)
    if minute.is_full and hour.is_full:
        return str(second) if second.is_full else _at(f"{second} of every minute")
    return _at(f"{second} of {minute} of {hour}")


def _minutes(minute: _Values, hour: _Values) -> str:
    if hour.is_full:
        if minute.values == [0]:
            return "at the start of every hour"
        return str(minute) if minute.is_full else _at(f"{minute} of every hour")
    first, last = hour.values[0], hour.values[-1]
    if len(hour.values) == 1 and minute.is_range:
        return (
            f"every minute from {_clock(first, minute.values[0])} "
            f"through {_clock(last, minute.values[-1])}"
        )
    if minute.every and (hour.is_range or first == last):
        return f"{minute} from {_clock(first)} through {_clock(last, 59)}"
    return _at(f"{minute} of {hour}")


def _at(times: str) -> str:
    return times if times.startswith("every") else f"at {times}"


def _clock(hour: int, minute: int = 0, second: int = 0, *, is_short: bool = True) -> str:
    return f"{hour:02}:{minute:02}" + ("" if is_short else f":{second:02}")


def _date(cron: CronSim) -> str:
    """Return the days. Debian's rule: if neither day field starts with a star, one of them is
    enough, so a full one makes it every day."""
    in_months = "" if len(cron.months) == 12 else f"in {_months(cron)}"
    every_day, every_weekday = _has_every_day(cron), _has_every_weekday(cron)
    if every_day or every_weekday:
        if (every_day and every_weekday) or not cron.day_and:
            # What happens every hour need not be said to happen every day.
            days = "every day" if len(cron.hours) < 24 else ""
            return f"{days} {in_months}".strip()
        if every_weekday:
            return _days_of_months(cron)
        return f"on {_weekdays(cron, 'and')} {in_months}".strip()
    days = f"on {_days(cron)} of the month"
    if cron.day_and:
        return f"{days} if it is {_weekdays(cron, 'or')} {in_months}".strip()
    return f"{days} and on {_weekdays(cron, 'and')}" + (f", {in_months}" if in_months else "")


def _has_every_day(cron: CronSim) -> bool:
    return cron.days >= set(range(1, 31)) and bool(cron.days & {31, CronSim.LAST})


def _has_every_weekday(cron: CronSim) -> bool:
    return len(_plain_weekdays(cron)) == 7


def _days_of_months(cron: CronSim) -> str:
    months = "every month" if len(cron.months) == 12 else _months(cron)
    if len(cron.months) == 1 and len(cron.days) == 1 and min(cron.days) > 0:
        return f"on {months} {min(cron.days)}"
    return f"on {_days(cron)} of {months}"


def _days(cron: CronSim) -> str:
    numbers = sorted(day for day in cron.days if day > 0)
    parts = [name for value, name in _LAST_DAYS if value in cron.days]
    if len(numbers) == 1:
        parts.insert(0, f"the {_ordinal(numbers[0])} day")
    elif numbers:
        parts.insert(0, str(_Values("day", numbers, first=1, size=31)))
    return listed(parts)


def _months(cron: CronSim) -> str:
    return listed(_ranges(sorted(cron.months), lambda month: _MONTHS[month - 1]))


def _weekdays(cron: CronSim, conjunction: str) -> str:
    plain = _plain_weekdays(cron)
    # From the day after one that is missing, so that a weekend is one range.
    start = next((day for day in (1, *range(2, 8)) if (day - 1) % 7 not in plain), 1)
    turned = [day for day in range(start, start + 7) if day % 7 in plain]
    numbered = sorted(
        {(each[1], each[0] % 7) for each in cron.weekdays if isinstance(each, tuple)},
        key=lambda each: (each[0] == CronSim.LAST, each),
    )
    nth = [
        f"the {'last' if count == CronSim.LAST else _ordinal(count)} {_WEEKDAYS[day]} of the month"
        for count, day in numbered
        if day not in plain
    ]
    return listed([*_ranges(turned, lambda day: _WEEKDAYS[day % 7]), *nth], conjunction)


def _plain_weekdays(cron: CronSim) -> set[int]:
    return {day % 7 for day in cron.weekdays if isinstance(day, int)}


def _ranges(values: list[int], label: Callable[[int], str] = str) -> list[str]:
    """Return the values, three and more neighbours as "first through last"."""
    parts: list[str] = []
    for start, end in _runs(values):
        if end - start > 1:
            parts.append(f"{label(start)} through {label(end)}")
        else:
            parts += [label(value) for value in range(start, end + 1)]
    return parts


def _runs(values: list[int]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for value in values:
        if runs and runs[-1][1] == value - 1:
            runs[-1] = (runs[-1][0], value)
        else:
            runs.append((value, value))
    return runs


def listed(parts: Iterable[str], conjunction: str = "and") -> str:
    """Return the parts, of which there is one at least, as a list in a sentence."""
    *others, last = parts
    if len(others) < 2:
        return f" {conjunction} ".join([*others, last])
    return f"{', '.join(others)}, {conjunction} {last}"


def _step_ordinal(step: int) -> str:
    return "other" if step == 2 else _ordinal(step)


def _ordinal(number: int) -> str:
    if number <= len(_ORDINALS):
        return _ORDINALS[number - 1]
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th") if number // 10 != 1 else "th"
    return f"{number}{ending}"
