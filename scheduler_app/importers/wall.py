"""When a scheduler fires that goes by the clock on the wall, in its own way when clocks change."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import Enum
from heapq import heappop, heappush
from zoneinfo import ZoneInfo

from scheduler_app.cron import Schedule, Uncomputable


class Gap(Enum):
    """What becomes of a time that the clock skips."""

    SHIFTED = "as late after the gap as it lies in it"
    AFTER = "right after the gap"
    SKIPPED = "nothing"


LONGEST_CHANGE = timedelta(hours=3)
"""By which a clock is put forward or back, in any zone of today."""


def fires(text: str, zone: str, after: datetime, *, gap: Gap, twice: bool) -> Iterator[datetime]:
    """Yield the moments (UTC) after one at which a schedule fires where times in a gap of the clock
    are treated so, and repeated times fire `twice` or at their first pass. Raises ValueError."""
    last, waiting = after, list[datetime]()
    for wall in _walls(text, after.astimezone(ZoneInfo(zone)).replace(tzinfo=None)):
        aware = wall.replace(tzinfo=ZoneInfo(zone))
        first, second = _utc(aware), _utc(aware.replace(fold=1))
        if first <= second or gap == Gap.SHIFTED:
            heappush(waiting, first)
        elif gap == Gap.AFTER:
            heappush(waiting, _end_of_gap(aware))
        if twice and first < second:
            heappush(waiting, second)
        while waiting and waiting[0] < first - LONGEST_CHANGE:
            moment = heappop(waiting)
            if moment > last:
                yield moment
                last = moment
    yield from sorted({moment for moment in waiting if moment > last})


def _walls(text: str, after: datetime) -> Iterator[datetime]:
    """Yield the times on the wall, skipped or not, from a little before this one on: those of UTC,
    which skips none."""
    schedule = Schedule(text, "UTC").compute()
    if isinstance(schedule, Uncomputable):
        raise ValueError(schedule.text)
    moment: datetime | None = after.replace(tzinfo=UTC) - LONGEST_CHANGE
    while moment and (moment := schedule.scheduled_after(moment)):
        yield moment.replace(tzinfo=None)


def _end_of_gap(aware: datetime) -> datetime:
    while _utc(aware) > _utc(aware.replace(fold=1)):
        aware += timedelta(minutes=1)
    return _utc(aware)


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)
