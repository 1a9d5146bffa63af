"""Text that any database takes and any terminal shows; moments and lengths of time in words."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from zoneinfo import ZoneInfo

LONGEST_LINE = 200
LONGEST_LIST = 20
LONGEST_VALUE = 120


@dataclass(frozen=True, slots=True)
class Clock:
    """Writes moments as a clock in this zone shows them."""

    zone: ZoneInfo

    def full(self, moment: datetime) -> str:
        """Return the moment as "2026-11-24 01:00:03 CET"."""
        return f"{moment.astimezone(self.zone):%Y-%m-%d %H:%M:%S %Z}"

    def near(self, moment: datetime, other: datetime) -> str:
        """Return the time alone if `other`, of which the sentence speaks, is on the same day."""
        one, day = moment.astimezone(self.zone), other.astimezone(self.zone).date()
        return f"{one:%H:%M:%S}" if one.date() == day else self.full(moment)


def length(of: timedelta) -> str:
    """Return a length of time in its largest units: "12 ms", "1.2 s", "3 min 5 s", "2 d 4 h"."""
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


def first_line(text: str, limit: int = LONGEST_LINE) -> str:
    """Return the first line that says something, of at most `limit` characters."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= limit else line[: limit - 3] + "..."


def clause(text: str) -> str:
    """Return its first line without the full stop, for a sentence to continue."""
    line = first_line(text)
    return line.removesuffix(".") if not line.endswith("..") else line


def times(number: int) -> str:
    """Return "once", "twice" or "3 times"."""
    return {1: "once", 2: "twice"}.get(number, f"{number} times")


def printable(text: str) -> str:
    """Return the text with what would control a terminal escaped."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def shown(value: object) -> str:
    """Return a bad value as an error names it: on one line, printable, not too long."""
    try:
        text = repr(value)
    except Exception:  # the value is the user's own object
        text = f"<{type(value).__name__} that cannot be shown>"
    return printable(text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}...")


def nearest(name: str, names: Iterable[str]) -> str:
    """Return those of the names that may be meant by one that is not there, as "this or that";
    empty if none is like it."""
    return " or ".join(get_close_matches(name, list(names), n=3, cutoff=0.7))


def is_storable(text: str) -> bool:
    """Return whether any database takes the text as it is: no NUL, no lone surrogate."""
    return not any(char == "\0" or "\ud800" <= char <= "\udfff" for char in text)


def storable(text: str, limit: int) -> str:
    """Return the text as any database takes it: no NUL, no lone surrogate, at most `limit`
    characters (its head and its tail, with a note of what is left out)."""
    text = text.replace("\0", "\N{SYMBOL FOR NULL}").encode("utf-8", "replace").decode("utf-8")
    if len(text) <= limit:
        return text
    note = f"\n[... {len(text) - limit:,} characters left out ...]\n"
    head = (limit - len(note)) // 2
    return text[:head] + note + text[len(text) - (limit - len(note) - head) :]


def one_line(text: str, limit: int) -> str:
    """Return the text as a name of at most `limit` characters that any database takes and any
    terminal shows: on one line, and, if it is too long, its head and its tail."""
    line = printable(text)
    if len(line) <= limit:
        return line
    head = (limit - 3) // 2
    return f"{line[:head]}...{line[head + 3 - limit :]}"


def listed(texts: Iterable[str], separator: str = ", ") -> str:
    """Return the first twenty of the texts, and how many there are besides."""
    texts = list(texts)
    told = separator.join(texts[:LONGEST_LIST])
    untold = len(texts) - LONGEST_LIST
    return f"{told}{separator}and {untold:,} more" if untold > 0 else told
