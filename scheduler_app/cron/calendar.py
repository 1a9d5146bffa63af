"""Days on which a schedule does not fire."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from scheduler_app.exceptions import CronError
from scheduler_app.text import shown

WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
WEEKENDS = "WEEKENDS"
USAGE = (
    f"name weekdays ({', '.join(WEEKDAYS)} or {WEEKENDS.lower()}), days (2026-12-25), days of each "
    "year (12-25), or periods (2026-12-24/2027-01-01)"
)
DAY = timedelta(days=1)
_YEARLY = re.compile(r"(\d\d)-(\d\d)", re.ASCII)
_LEAP_YEAR = 2000
_NAMES = {
    "MON": "Mondays",
    "TUE": "Tuesdays",
    "WED": "Wednesdays",
    "THU": "Thursdays",
    "FRI": "Fridays",
    "SAT": "Saturdays",
    "SUN": "Sundays",
}


@dataclass(frozen=True, slots=True)
class Calendar:
    """The days that a schedule leaves out, by the calendar of its time zone."""

    weekdays: frozenset[int] = frozenset()
    """0 is Monday."""
    yearly: tuple[tuple[int, int], ...] = ()
    """Month and day."""
    periods: tuple[tuple[date, date], ...] = ()
    """First and last day."""

    def excludes(self, day: date) -> bool:
        return (
            day.weekday() in self.weekdays
            or (day.month, day.day) in self.yearly
            or any(first <= day <= last for first, last in self.periods)
        )

    def __bool__(self) -> bool:
        return bool(self.weekdays or self.yearly or self.periods)

    def __str__(self) -> str:
        """Return the normal form of the text: what read() takes."""
        return ",".join((*self._weekdays(), *self._yearly(), *self._periods("/")))

    def words(self) -> list[str]:
        """Return the days in English, each as it follows "not on"."""
        named = (_NAMES[name] for name in self._weekdays())
        yearly = (f"{day} of each year" for day in self._yearly())
        return [*named, *yearly, *self._periods(" to ")]

    def _weekdays(self) -> Iterable[str]:
        return (WEEKDAYS[day] for day in sorted(self.weekdays))

    def _yearly(self) -> Iterable[str]:
        return (f"{month:02}-{day:02}" for month, day in self.yearly)

    def _periods(self, between: str) -> Iterable[str]:
        for first, last in self.periods:
            yield str(first) if first == last else f"{first}{between}{last}"


EVERY_DAY = Calendar()


def calendar_of(days: object) -> Calendar:
    """Return the calendar that leaves out these days: text, or several of text and dates. Raises
    CronError, which names the day that is none."""
    given = [days] if isinstance(days, str | date) else days
    if not isinstance(given, Iterable):
        raise CronError(f"Bad calendar {shown(days)}: {USAGE}")
    items: list[str] = []
    for each in given:
        if isinstance(each, str):
            items += each.split(",")
        elif isinstance(each, date) and not isinstance(each, datetime):
            items.append(str(each))
        else:
            raise CronError(f"Bad day {shown(each)} in the calendar: {USAGE}")
    return _calendar(items)


def _calendar(items: Iterable[str]) -> Calendar:
    weekdays, yearly, periods = set[int](), set[tuple[int, int]](), set[tuple[date, date]]()
    for item in items:
        name = item.strip().upper()
        if name == WEEKENDS:
            weekdays |= {WEEKDAYS.index("SAT"), WEEKDAYS.index("SUN")}
        elif name in WEEKDAYS:
            weekdays.add(WEEKDAYS.index(name))
        elif _YEARLY.fullmatch(name):
            day = _date(f"{_LEAP_YEAR}-{name}", item)
            yearly.add((day.month, day.day))
        else:
            first, _, last = name.partition("/")
            period = _date(first, item), _date(last or first, item)
            if period[0] > period[1]:
                raise CronError(
                    f"Bad period {shown(item.strip())} in the calendar: it ends before it begins"
                )
            periods.add(period)
    return Calendar(frozenset(weekdays), tuple(sorted(yearly)), tuple(sorted(periods)))


def _date(text: str, item: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise CronError(f"Bad day {shown(item.strip())} in the calendar: {USAGE}") from error
