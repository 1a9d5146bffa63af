"""What the words of a schedule claim, read back from the English alone.

Nothing here knows cron: a sentence becomes the seconds, minutes and hours that it names and a
question to be asked of a day."""

import re
from calendar import day_name, month_name, monthrange
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import product

MONTHS = {name: number for number, name in enumerate(month_name) if name}
WEEKDAYS = {name: number for number, name in enumerate(day_name)}  # Monday is 0
ORDINALS = {
    "first": 1,
    "second": 2,
    "third": 3,
    "fourth": 4,
    "fifth": 5,
    "sixth": 6,
    "seventh": 7,
    "eighth": 8,
    "ninth": 9,
}
UNITS = {"second": range(60), "minute": range(60), "hour": range(24), "day": range(1, 32)}
CLOCK = r"(\d\d):(\d\d)(?::(\d\d))?"


@dataclass(frozen=True)
class Claim:
    """What a sentence says."""

    times: list[time]
    days: str

    def after(self, after: datetime, days: int) -> Iterator[datetime]:
        """All moments after this one, for so many days, at which it should fire (UTC)."""
        for n in range(days):
            yield from self._of(after.date() + timedelta(days=n), after)

    def first_of(self, day: date, after: datetime) -> datetime | None:
        """The first moment of the day that is after this one."""
        return next(self._of(day, after), None)

    def _of(self, day: date, after: datetime) -> Iterator[datetime]:
        if self.has_day(day):
            moments = (datetime.combine(day, each, UTC) for each in self.times)
            yield from (moment for moment in moments if moment > after)

    def has_day(self, day: date) -> bool:
        return _has_day(self.days, day)


def read(sentence: str) -> Claim:
    for pattern, times in TIMES:
        if found := re.match(pattern + r"(?: (?=every day|in |on )|$)", sentence):
            return Claim(sorted(times(*found.groups())), sentence[found.end() :])
    raise AssertionError(f"cannot be read: {sentence}")


def _each(times: str) -> list[time]:
    return [
        time(int(hour), int(minute), int(second or 0))
        for hour, minute, second in re.findall(CLOCK, times)
    ]


def _from_to(every: str, first: str, last: str) -> list[time]:
    low, high = _each(f"{first} {last}")
    minutes = _values(every.lower())
    all_times = (time(hour, minute) for hour, minute in product(range(24), minutes))
    return [each for each in all_times if low <= each <= high]


def _product(second: str, minute: str, hour: str) -> list[time]:
    values = [_values(part.lower()) for part in (hour, minute, second)]
    return [time(*each) for each in product(*values)]  # type: ignore[arg-type]


def _part(unit: str) -> str:
    several = rf"{unit}s? \d+(?:(?: through |, and |, | and )\d+)*"
    return rf"(?:At )?([Ee]very (?:\w+ )?{unit}(?: from \d+ through \d+)?|{several})"


SECOND, MINUTE, HOUR = (_part(unit) for unit in ("second", "minute", "hour"))
TIMES: tuple[tuple[str, Callable[..., list[time]]], ...] = (
    (r"Every second", lambda: _product("every second", "every minute", "every hour")),
    (r"Every minute", lambda: _product("second 0", "every minute", "every hour")),
    (r"At the start of every hour", lambda: _product("second 0", "minute 0", "every hour")),
    (rf"At ((?:{CLOCK}(?:, and |, | and )?)+)", lambda times, *_: _each(times)),
    (r"(Every (?:\w+ )?minute) from (\d\d:\d\d) through (\d\d:\d\d)", _from_to),
    (rf"{SECOND} of {MINUTE} of {HOUR}", _product),
    (rf"{SECOND} of (every minute)", lambda second, minute: _product(second, minute, "every hour")),
    (rf"{MINUTE} of {HOUR}", lambda minute, hour: _product("second 0", minute, hour)),
)


def _values(words: str) -> list[int]:
    """The values of "every fifth minute from 3 through 58", or of "minutes 0, 7 through 9"."""
    if found := re.fullmatch(r"every (?:(\w+) )?(\w+?)(?: from (\d+) through (\d+))?", words):
        step, unit, first, last = found.groups()
        full = UNITS[unit]
        low, high = (int(first), int(last)) if first else (full[0], full[-1])
        return list(range(low, high + 1, _number(step) if step else 1))
    _, _, numbers = words.partition(" ")
    return [value for part in _parts(numbers) for value in _from_through(part, int)]


def _parts(listed: str) -> list[str]:
    return [part for part in re.split(r", and |, or |, | and | or ", listed) if part]


def _from_through(part: str, number: Callable[[str], int]) -> list[int]:
    first, _, last = part.partition(" through ")
    low = number(first)
    high = number(last) if last else low
    return list(range(low, high + 1))


def _number(word: str) -> int:
    if word == "other":
        return 2
    return ORDINALS.get(word) or int(re.sub(r"(st|nd|rd|th)$", "", word))


def _has_day(words: str, day: date) -> bool:
    words = words.removeprefix("every day").strip()
    if found := re.fullmatch(r"on (\w+) (\d+)", words):
        return (day.month, day.day) == (MONTHS[found[1]], int(found[2]))
    if found := re.fullmatch(r"(.*?),? ?\bin ((?:[A-Z]\w+|through|and|,| )+)", words):
        if not _has_month(found[2], day):
            return False
        words = found[1]
    if not words:
        return True
    if " if it is " in words:
        days, weekdays = words.removeprefix("on ").split(" if it is ")
        return _has_day_of_month(days, day) and _has_weekday(weekdays, day)
    if found := re.fullmatch(r"on (.* of the month) and on (.*)", words):
        return _has_day_of_month(found[1], day) or _has_weekday(found[2], day)
    if found := re.fullmatch(r"on (.*) of (every month|[A-Z].*)", words):
        in_month = found[2] == "every month" or _has_month(found[2], day)
        return in_month and _has_day_of_month(found[1], day)
    return _has_weekday(words.removeprefix("on "), day)


def _has_month(words: str, day: date) -> bool:
    return any(day.month in _from_through(part, MONTHS.__getitem__) for part in _parts(words))


def _has_day_of_month(words: str, day: date) -> bool:
    words = words.removesuffix(" of the month")
    last = monthrange(day.year, day.month)[1]
    weekdays = [n for n in range(1, last + 1) if day.replace(day=n).weekday() < 5]
    for name, which in (("the last weekday", weekdays[-1]), ("the last day", last)):
        if name in words and day.day == which:
            return True
        words = words.replace(name, "")
    words = re.sub(r"(, |, and | and )+$", "", words).strip()
    if found := re.fullmatch(r"the (\w+) day", words):
        return day.day == _number(found[1])
    return bool(words) and day.day in _values(words)


def _has_weekday(words: str, day: date) -> bool:
    return any(_is_weekday(part, day) for part in _parts(words))


def _is_weekday(part: str, day: date) -> bool:
    if found := re.fullmatch(r"the (\w+) (\w+) of the month", part):
        nth, name = found.groups()
        is_last = (day + timedelta(days=7)).month != day.month
        counts = is_last if nth == "last" else (day.day - 1) // 7 + 1 == _number(nth)
        return WEEKDAYS[name] == day.weekday() and counts
    first, _, last = part.partition(" through ")
    span = (WEEKDAYS[last or first] - WEEKDAYS[first]) % 7
    return (day.weekday() - WEEKDAYS[first]) % 7 <= span
