"""Which occurrences the ledger has to account for: those of each recorded period."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from scheduler_app.cron import Fire, Fires
from scheduler_app.models import SchedulePeriod

RESOLUTION = timedelta(microseconds=1)
"""The smallest step of a moment."""
NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Window:
    """Occurrences scheduled for `since` or later, and before `until`; None: no bound."""

    since: datetime | None = None
    until: datetime | None = None

    def holds(self, first: datetime, last: datetime) -> bool:
        """Return whether nothing of this range lies outside."""
        return (not self.since or first >= self.since) and (not self.until or last < self.until)


def fires(
    period: SchedulePeriod, schedule: Fires, window: Window, due_by: datetime = NEVER
) -> Iterator[Fire]:
    """Yield the period's occurrences in the window that are due by this moment, in order.
    `schedule`: the period's own, computed."""
    after = period.begins_at
    if window.since:
        after = max(after, window.since - RESOLUTION)
    first = schedule.next(after)
    if first is None:
        return
    for fire in schedule.due(first.due_at, min(due_by, period.ends_at or NEVER)):
        if window.until and fire.scheduled_for >= window.until:
            return
        if window.since is None or fire.scheduled_for >= window.since:
            yield fire
