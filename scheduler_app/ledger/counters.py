"""Each job's counters: what became of its occurrences, counted once and for ever."""

from collections import defaultdict
from collections.abc import Iterable

from scheduler_app.models import Job, JobCount, JobRun, RunState, database

COUNTER_OF = {
    RunState.SUCCESS: "run_count",
    RunState.FAILED: "error_count",
    RunState.LOST: "error_count",
    RunState.SKIPPED: "skip_count",
    RunState.MISSED: "miss_count",
}
"""The counter of the job that each final state adds to; a cancelled run adds to none."""
BATCH = 1_000


def count(runs: Iterable[JobRun]) -> None:
    """Count final runs for their jobs, exactly once each. Call it in a transaction."""
    deltas: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
    for run in runs:
        counter = _counter_of(run)
        if counter:
            deltas[run.job_name][counter] += run.occurrences
    JobCount.objects.append(deltas)


def fold() -> bool:
    """Add what has been counted to the jobs' rows, of BATCH jobs at most. False: nothing is left
    but what is counted of jobs that are locked by others, or have no row."""
    with database.atomic():
        names = Job.objects.to_fold(BATCH)
        if names:
            JobCount.objects.fold(names, Job._meta.db_table)
    return len(names) == BATCH


def _counter_of(run: JobRun) -> str | None:
    if run.state == RunState.CANCELLED and run.attempt > 1 and run.started_at is None:
        return "error_count"  # what was cancelled is the retry; the occurrence has failed
    return COUNTER_OF.get(RunState(run.state))
