"""What has just become of one job again and again, and what comes next."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile

from scheduler_app.models import JobRun, RunState
from scheduler_app.status.recent import RecentRun

LARGE = ("traceback", "metadata", "log")
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


def outlook(recent: Sequence[RecentRun], active: Iterable[JobRun]) -> Outlook:
    """Return this of a job, of which these are the last results, the oldest first, and the runs
    that have not ended."""
    failed = takewhile(lambda run: run.state != RunState.SUCCESS, reversed(recent))
    streak = sum(run.state in BAD for run in failed)
    queued = [run for run in active if run.state == RunState.QUEUED]
    first = min(queued, key=lambda run: (run.due_at, run.pk), default=None)
    if first is None:
        return Outlook(streak, None, 1, None)
    return Outlook(streak, first.pk, first.attempt, first.due_at)


def last_runs(name: str, number: int) -> list[JobRun]:
    """Return the last results of a job, the newest first, without what no list shows."""
    runs = JobRun.objects.finished().filter(job_name=name).order_by("-finished_at")
    return list(runs.defer(*LARGE)[:number])


def active_runs(name: str, number: int) -> list[JobRun]:
    """Return the runs of a job that have not ended, those due first."""
    runs = JobRun.objects.active().filter(job_name=name).order_by("due_at", "pk")
    return list(runs.defer(*LARGE)[:number])
