"""Which failed runs are tried again, and when."""

from collections.abc import Sequence
from datetime import datetime

from scheduler_app.models import Job, JobRun


def retries_of(failed: Sequence[JobRun], now: datetime) -> list[JobRun]:
    jobs = Job.objects.declared().filter(retries__gt=0).in_bulk({run.job_name for run in failed})
    rows = []
    for run in failed:
        job = jobs.get(run.job_name)
        wait = job.policies.retry_after(run.attempt, _spread(run)) if job else None
        if wait is not None:
            rows.append(_retry(run, now, now + wait))
    return rows


def _spread(run: JobRun) -> float:
    """Return a number from 0 to 1; those of successive runs lie far apart (golden ratio)."""
    return run.pk * 0.6180339887498949 % 1


def _retry(run: JobRun, now: datetime, due_at: datetime) -> JobRun:
    return JobRun(
        job_name=run.job_name,
        trigger=run.trigger,
        scheduled_for=run.scheduled_for,
        due_at=due_at,
        attempt=run.attempt + 1,
        first_attempt_id=first_attempt(run),
        requested_by=run.requested_by,
        arguments=run.arguments,
        rerun_of_id=run.rerun_of_id,
        created_at=now,
    )


def first_attempt(run: JobRun) -> int:
    """Return the id of the first attempt at this run's occurrence or request."""
    return run.first_attempt_id or run.pk
