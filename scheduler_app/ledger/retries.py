"""Which failed runs are tried again, when, and what came of it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db.models import Q

from scheduler_app.models import Job, JobRun, bulk

LONGEST_CHAIN = 20
"""How many times the same thing is followed from one request to run it again to the next."""


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


def later_attempts(runs: Iterable[JobRun]) -> dict[int, list[JobRun]]:
    """Return, for each of these runs, all that tried the same again later: retries, what people
    asked for again, and the retries of that; in their order."""
    runs = list(runs)
    rows = {run.pk: run for run in runs}
    after = defaultdict[int, set[int]](set)
    heads = {head for run in runs for head in _heads(run)}
    seen = set[int]()
    for _ in range(LONGEST_CHAIN):
        seen |= heads
        found = _tried_again(heads)
        for run in found:
            rows.setdefault(run.pk, run)
            for head in _heads(run) - {run.pk}:
                after[head].add(run.pk)
        heads = {run.pk for run in found} - seen
        if not heads:
            break
    return {
        run.pk: [rows[pk] for pk in sorted(_reached(_heads(run), after)) if pk > run.pk]
        for run in runs
    }


def _heads(run: JobRun) -> set[int]:
    """Return the ids to which later attempts of the same refer."""
    return {run.pk, first_attempt(run), run.rerun_of_id or run.pk}


def _tried_again(heads: Iterable[int]) -> list[JobRun]:
    tries = Q(rerun_of__isnull=False) & Q(bulk.AnyOf("rerun_of", heads))
    retries = Q(first_attempt__isnull=False) & Q(bulk.AnyOf("first_attempt", heads))
    rows = JobRun.objects.filter(tries | retries)
    return list(rows.only("job_name", "state", "attempt", "rerun_of", "first_attempt"))


def _reached(heads: set[int], after: dict[int, set[int]]) -> set[int]:
    reached, new = set[int](), heads
    while new:
        reached |= new
        new = {pk for each in new for pk in after.get(each, ())} - reached
    return reached
