"""Moments, lengths of time and texts as a sentence has them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

LONGEST_LINE = 200


@dataclass(frozen=True, slots=True)
class Clock:
    """Writes moments as a clock in this zone shows them."""

    zone: ZoneInfo

    def full(self, moment: datetime) -> str:
        """ "2026-11-24 01:00:03 CET" """
        return f"{moment.astimezone(self.zone):%Y-%m-%d %H:%M:%S %Z}"

    def near(self, moment: datetime, other: datetime) -> str:
        """The time alone if `other`, of which the sentence speaks, is on the same day."""
        one, day = moment.astimezone(self.zone), other.astimezone(self.zone).date()
        return f"{one:%H:%M:%S}" if one.date() == day else self.full(moment)


def length(of: timedelta) -> str:
    """A length of time in its largest units: "12 ms", "1.2 s", "3 min 5 s", "2 d 4 h"."""
    seconds = of.total_seconds()
    return ("-" if seconds < 0 else "") + _length(abs(seconds))


def _length(seconds: float) -> str:
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days:
        return f"{days} d {hour} h"
    return f"{hours} h {minute} min" if hours else f"{minutes} min {second} s"


def first_line(text: str) -> str:
    """The first line that says something, bounded, without the stop at its end."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    line = line if len(line) <= LONGEST_LINE else line[: LONGEST_LINE - 3] + "..."
    return line.removesuffix(".") if not line.endswith("..") else line


def times(number: int) -> str:
    """ "once", "twice", "3 times" """
    return {1: "once", 2: "twice"}.get(number, f"{number} times")
