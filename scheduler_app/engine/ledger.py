"""What the ledger gets when a run ends or an occurrence does not run: rows, retries, counts."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice

from scheduler_app.cron import Fire, Schedule
from scheduler_app.engine.plan import SLICE
from scheduler_app.models import Job, JobRun, RunState

COUNTER_OF = {
    RunState.SUCCESS: "run_count",
    RunState.FAILED: "error_count",
    RunState.LOST: "error_count",
    RunState.SKIPPED: "skip_count",
    RunState.MISSED: "miss_count",
}
"""The counter of the job that each final state adds to; a cancelled run adds to none."""


def not_run(
    job_name: str, fires: Sequence[Fire], state: RunState, message: str, now: datetime
) -> JobRun:
    """One unsaved row for these occurrences (at least one, in order), none of which ran."""
    first, last = fires[0], fires[-1]
    return JobRun(
        job_name=job_name,
        scheduled_for=last.scheduled_for,
        due_at=last.due_at,
        first_scheduled_for=first.scheduled_for if len(fires) > 1 else None,
        occurrences=len(fires),
        state=state,
        created_at=now,
        finished_at=now,
        message=message,
    )


def overdue_not_run(
    job_name: str, schedule: Schedule, due_at: datetime | None, now: datetime, message: str
) -> list[JobRun]:
    """Unsaved SKIPPED rows for all that is due already and will not run: the job's schedule ends
    here, because it is paused, changed or no longer declared. `due_at`: its next due moment."""
    rows: list[JobRun] = []
    if due_at is None:
        return rows
    fires = schedule.due(due_at, now)
    while batch := list(islice(fires, SLICE)):
        rows.append(not_run(job_name, batch, RunState.SKIPPED, message, now))
    return rows


def insert(runs: Iterable[JobRun]) -> None:
    """Insert the rows and count those that are final. Call it in a transaction."""
    runs = list(runs)
    if runs:
        JobRun.objects.insert(runs)
        count(run for run in runs if run.state != RunState.QUEUED)


def settle(ended: Iterable[JobRun], now: datetime) -> None:
    """For runs that have just ended in this transaction: insert the retries that their jobs want,
    and count the occurrences for which this was the last attempt."""
    ended = list(ended)
    failed = [run for run in ended if run.state in (RunState.FAILED, RunState.LOST)]
    retries = _retries(failed, now) if failed else []
    insert(retries)
    retried = {(run.job_name, run.first_attempt_id, run.attempt - 1) for run in retries}
    count(run for run in ended if (run.job_name, _first(run), run.attempt) not in retried)


def end_waiting(runs: Iterable[JobRun], state: RunState, now: datetime, message: str) -> None:
    """End these (locked) runs, none of which has begun. Call it in a transaction."""
    runs = list(runs)
    JobRun.objects.filter(pk__in=[run.pk for run in runs]).update(
        state=state, finished_at=now, message=message
    )
    for run in runs:
        run.state, run.finished_at, run.message = state, now, message
    count(runs)


def count(runs: Iterable[JobRun]) -> None:
    """Add final runs to their jobs' counters, exactly once each. Call it in a transaction."""
    deltas: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
    for run in runs:
        counter = _counter_of(run)
        if counter:
            deltas[run.job_name][counter] += run.occurrences
    Job.objects.add_to_counters(deltas)


def _counter_of(run: JobRun) -> str | None:
    if run.state == RunState.CANCELLED and run.attempt > 1 and run.started_at is None:
        return "error_count"  # what was cancelled is the retry; the occurrence has failed
    return COUNTER_OF.get(RunState(run.state))


def _retries(failed: Sequence[JobRun], now: datetime) -> list[JobRun]:
    jobs = Job.objects.declared().filter(retries__gt=0).in_bulk({run.job_name for run in failed})
    rows = []
    for run in failed:
        job = jobs.get(run.job_name)
        wait = job.policies.retry_after(run.attempt, _spread(run)) if job else None
        if wait is not None:
            rows.append(_retry(run, now, now + wait))
    return rows


def _spread(run: JobRun) -> float:
    """A number from 0 to 1; those of runs that follow each other lie far apart (golden ratio)."""
    return run.pk * 0.6180339887498949 % 1


def _retry(run: JobRun, now: datetime, due_at: datetime) -> JobRun:
    return JobRun(
        job_name=run.job_name,
        trigger=run.trigger,
        scheduled_for=run.scheduled_for,
        due_at=due_at,
        attempt=run.attempt + 1,
        first_attempt_id=_first(run),
        requested_by=run.requested_by,
        created_at=now,
    )


def _first(run: JobRun) -> int:
    return run.first_attempt_id or run.pk
