"""Rows for occurrences that did not run, and the counters that go with final states."""

from collections import Counter
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
        JobRun.objects.bulk_create(runs)
        count(runs)


def count(runs: Iterable[JobRun]) -> None:
    """Add final runs to their jobs' counters, exactly once each. Call it in a transaction."""
    deltas: dict[str, Counter[str]] = {}
    for run in runs:
        counter = COUNTER_OF.get(RunState(run.state))
        if counter:
            deltas.setdefault(run.job_name, Counter())[counter] += run.occurrences
    Job.objects.add_to_counters(deltas)
