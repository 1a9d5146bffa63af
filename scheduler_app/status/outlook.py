"""What has just become of one job again and again, and what comes next."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile

from scheduler_app.models import JobRun, RunState
from scheduler_app.status.recent import RecentRun

BAD = (RunState.FAILED, RunState.LOST)


@dataclass(frozen=True, slots=True)
class Outlook:
    """One job's failures in a row, and the run of it that waits. All moments are in UTC."""

    streak: int
    """How many of its last results, without a success between them, are failures."""
    waiting_run: int | None
    """The run that is queued and starts first."""
    waiting_attempt: int
    waits_until: datetime | None
    """When that one may start."""


def outlook(name: str, recent: Sequence[RecentRun]) -> Outlook:
    """Return this of the job, of which these are the last results, the oldest first."""
    failed = takewhile(lambda run: run.state != RunState.SUCCESS, reversed(recent))
    streak = sum(run.state in BAD for run in failed)
    queued = JobRun.objects.queued().filter(job_name=name).order_by("due_at", "pk")
    row = queued.values_list("pk", "attempt", "due_at").first()
    pk, attempt, due_at = row or (None, 1, None)
    return Outlook(streak, pk, attempt, due_at)
