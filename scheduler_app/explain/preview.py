"""When a schedule fires next, and what clocks do there."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from scheduler_app.cron import Fire, Fires
from scheduler_app.explain.dst_gaps import first_pass, gap_at

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class PreviewedFire:
    """One fire that is to come."""

    fire: Fire
    note: str
    """What the clock of the schedule's zone does there; empty if nothing."""


def preview(schedule: Fires, after: datetime, count: int) -> list[PreviewedFire]:
    """Return the next fires that are due after this moment."""
    zone = ZoneInfo(schedule.timezone)
    following = islice(_following(schedule, after), count)
    return [PreviewedFire(fire, _note(fire.scheduled_for, schedule, zone)) for fire in following]


def _following(schedule: Fires, after: datetime) -> Iterator[Fire]:
    while fire := schedule.next(after):
        yield fire
        after = fire.due_at


def _note(moment: datetime, schedule: Fires, zone: ZoneInfo) -> str:
    local = moment.astimezone(zone)
    before = (moment - timedelta(seconds=1)).astimezone(zone)
    jump = local.replace(tzinfo=None) - before.replace(tzinfo=None) - timedelta(seconds=1)
    if jump > timedelta():
        gap = gap_at(before.replace(tzinfo=None) + timedelta(seconds=1), zone)
        skipped = f"skips {gap.begin:%H:%M} to {gap.end:%H:%M}" if gap else "is put forward"
        return f"the clock {skipped} right before"
    if first_pass(moment, zone):
        return "the clock shows this time for the second time"
    repeat = local.replace(fold=1)
    if repeat.astimezone(UTC) > moment and repeat.utcoffset() != local.utcoffset():
        told = "the clock shows this time twice"
        again = schedule.scheduled_after(repeat.astimezone(UTC) - timedelta(seconds=1))
        if again != repeat.astimezone(UTC):
            return f"{told}; it fires the first time alone"
        return told
    return ""
