"""The next occurrences of one job, and what is odd about each."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from scheduler_app.cron import Fires
from scheduler_app.explain.preview import PreviewedFire, preview
from scheduler_app.models import row_id, timetable_rows


@dataclass(frozen=True, slots=True)
class Upcoming:
    """One occurrence that is to come."""

    previewed: PreviewedFire
    begins_during_last: bool
    """The run before it, if it takes as long as one in twenty does, has not ended by then."""
    others: int
    """How many other jobs are due at that moment, as far as the timetable knows."""


def upcoming(
    schedule: Fires, name: str, after: datetime, count: int, long: timedelta | None
) -> list[Upcoming]:
    """Return the next occurrences of this job, of which 19 of 20 runs take at most so `long`."""
    fires = preview(schedule, after, count)
    others = _others(name, [each.fire.due_at for each in fires])
    ends: datetime | None = None
    found = []
    for each in fires:
        due_at = each.fire.due_at
        found.append(Upcoming(each, ends is not None and due_at < ends, others[due_at]))
        ends = due_at + long if long else None
    return found


def _others(name: str, moments: list[datetime]) -> Counter[datetime]:
    rows = timetable_rows().filter(next_run_time__in=moments).exclude(id=row_id(name))
    return Counter(rows.values_list("next_run_time", flat=True))
