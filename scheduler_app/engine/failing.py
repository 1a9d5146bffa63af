"""Jobs that are paused because they fail."""

from datetime import datetime

from django.db.models import OuterRef, Subquery

from scheduler_app import control
from scheduler_app.control import Actor
from scheduler_app.exceptions import SchedulerError
from scheduler_app.logs import SafeLogger
from scheduler_app.models import Job, JobRun, RunState, SchedulePeriod, Surface

logger = SafeLogger(__name__)

SCHEDULER = Actor("the scheduler", Surface.CODE)
FAILURES = (RunState.FAILED, RunState.LOST)
LOOKED_AT = 200
"""How many finished runs beyond the retries are looked at."""


def pause_failing() -> None:
    """Pause the jobs that want it, and have failed as often in a row as they say."""
    last = JobRun.objects.executed().filter(job_name=OuterRef("name")).order_by("-finished_at")
    jobs = Job.objects.filter(pause_on_failure__gt=0, paused_at=None)
    for job in jobs.annotate(last=Subquery(last.values("state")[:1])).filter(last__in=FAILURES):
        failures = _failures_in_a_row(job)
        if failures >= job.pause_on_failure:
            _pause(job.name, failures)


def _pause(name: str, failures: int) -> None:
    reason = "it failed" if failures == 1 else f"it failed {failures} times in a row"
    try:
        control.pause(name, by=SCHEDULER, reason=reason)
        logger.error("job %s is paused: %s", name, reason)
    except SchedulerError as error:  # others hold its rows; the next look tries again
        logger.warning("job %s, which fails, is not paused yet: %s", name, error)


def _failures_in_a_row(job: Job) -> int:
    """Return how many of its last occurrences and requests failed, since its schedule began."""
    number = 0
    rows = JobRun.objects.finished().filter(
        job_name=job.name, state__in=(RunState.SUCCESS, *FAILURES), finished_at__gt=_begin(job)
    )
    limit = job.pause_on_failure * (job.retries + 1) + LOOKED_AT
    for state, attempt in rows.order_by("-finished_at").values_list("state", "attempt")[:limit]:
        if state == RunState.SUCCESS:
            break
        number += attempt > job.retries
    return number


def _begin(job: Job) -> datetime:
    period = SchedulePeriod.objects.open().filter(job_name=job.name).first()
    return period.begins_at if period else job.created_at
