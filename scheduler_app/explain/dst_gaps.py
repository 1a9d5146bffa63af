"""Times that the clock on the wall skips or repeats."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Gap:
    """Where the clock is put forward: it never shows the time from `begin` to `end`."""

    begin: datetime
    """On the wall, without a zone."""
    end: datetime
    at: datetime
    """The moment (UTC) at which the clock jumps from the one to the other."""


def gap_at(wall: datetime, zone: tzinfo) -> Gap | None:
    """Return the gap of this zone in which the time on the wall lies; None: the clock does show
    it."""
    aware = wall.replace(tzinfo=zone, fold=0)
    before, after = aware.utcoffset(), aware.replace(fold=1).utcoffset()
    if before is None or after is None or before >= after:  # PEP 495
        return None
    low, high = aware.replace(tzinfo=UTC) - after, aware.replace(tzinfo=UTC) - before
    while high - low > SECOND:  # the clock has not jumped at low, and has at high
        middle = (low + (high - low) / 2).replace(microsecond=0)
        jumped = middle.astimezone(zone).utcoffset() == after
        low, high = (low, middle) if jumped else (middle, high)
    begin, end = (high + before).replace(tzinfo=None), (high + after).replace(tzinfo=None)
    return Gap(begin, end, high)


def first_pass(moment: datetime, zone: tzinfo) -> datetime | None:
    """Return when the clock first showed the time that it shows again at this moment; None if it
    shows it for the first time."""
    local = moment.astimezone(zone)
    return local.replace(fold=0).astimezone(UTC) if local.fold else None
