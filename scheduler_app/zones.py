"""The rules of time zones: which offset from UTC each has, and from when.

They come with tzdata, so processes of one installation may know different ones. Two sets of rules
are the same if the offsets are, however the files differ."""

import json
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_BEGIN = datetime(2020, 1, 1, tzinfo=UTC)
_END = datetime(2051, 1, 1, tzinfo=UTC)
"""Rules are compared between these: what is corrected of the distant past changes no schedule."""
_STEP = timedelta(days=5)
"""Less than any zone keeps an offset."""
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class ZoneOffsets:
    """The offsets of a zone, in seconds, each with the moment (POSIX time) from which it holds."""

    steps: tuple[tuple[int, int], ...]

    @property
    def digest(self) -> str:
        return blake2b(json.dumps(self.steps).encode(), digest_size=8).hexdigest()

    def at(self, moment: datetime) -> timedelta:
        """Return the offset at this moment."""
        index = bisect_right(self.steps, moment.timestamp(), key=lambda step: step[0]) - 1
        return timedelta(seconds=self.steps[max(index, 0)][1])

    def local(self, moment: datetime) -> datetime:
        """Return the local time (naive) at this moment."""
        return moment.astimezone(UTC).replace(tzinfo=None) + self.at(moment)

    def agrees_with(self, other: "ZoneOffsets", begin: datetime, end: datetime) -> bool:
        """Return whether both have the same offsets from `begin` to `end`."""
        if self.at(begin) != other.at(begin):
            return False
        return self._steps_between(begin, end) == other._steps_between(begin, end)

    def _steps_between(self, begin: datetime, end: datetime) -> list[tuple[int, int]]:
        return [step for step in self.steps if begin.timestamp() < step[0] <= end.timestamp()]


@lru_cache(maxsize=1024)
def offsets(zone: str) -> ZoneOffsets | None:
    """Return the zone's offsets as this process knows them; None if it does not know the zone."""
    try:
        info = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        return None
    return ZoneOffsets(tuple(_steps(info)))


def digest(zone: str) -> str:
    """Return what identifies the zone's rules in this process; empty if it does not know it."""
    known = offsets(zone)
    return known.digest if known else ""


def _steps(zone: ZoneInfo) -> Iterator[tuple[int, int]]:
    offset, moment = _offset(zone, _BEGIN), _BEGIN
    yield _posix(_BEGIN), offset
    while moment < _END:
        following = moment + _STEP
        if _offset(zone, following) != offset:
            change = _change(zone, moment, following)
            offset = _offset(zone, following)
            yield _posix(change), offset
        moment = following


def _change(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """Return the first moment with another offset, in whole seconds."""
    offset = _offset(zone, before)
    while after - before > _SECOND:
        middle = before + (after - before) // 2
        middle = middle.replace(microsecond=0)
        if _offset(zone, middle) == offset:
            before = middle
        else:
            after = middle
    return after


def _offset(zone: ZoneInfo, moment: datetime) -> int:
    offset = moment.astimezone(zone).utcoffset()
    return round(offset.total_seconds()) if offset else 0


def _posix(moment: datetime) -> int:
    return round(moment.timestamp())
