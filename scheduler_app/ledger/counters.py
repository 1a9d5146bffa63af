"""Each job's counters: what became of its occurrences, counted once and for ever."""

from collections.abc import Collection, Iterable, Sequence

from scheduler_app.models import Job, JobCount, JobRun, RunState, bulk, database, locks

COUNTER_OF = {
    RunState.SUCCESS: "run_count",
    RunState.FAILED: "error_count",
    RunState.LOST: "error_count",
    RunState.SKIPPED: "skip_count",
    RunState.MISSED: "miss_count",
}
"""The counter of the job that each final state adds to; a cancelled run adds to none."""
BATCH = 1_000
_BLANK = JobCount()


def count(runs: Iterable[JobRun], tried_again: Collection[JobRun] = ()) -> None:
    """Count final runs for their jobs, exactly once each, but for those that are tried again; and
    keep up to when each job's occurrences are accounted for. Call it in a transaction."""
    counts = dict[str, JobCount]()
    for run in runs:
        counter = _counter_of(run) if not tried_again or run not in tried_again else None
        if counter or is_first_attempt(run):
            _add(run, counter, counts)
    JobCount.objects.append(counts)


def account_for(runs: Iterable[JobRun]) -> None:
    """Record that the occurrences of these first attempts, which have not ended, are accounted for,
    so that this is known even if a row is deleted meanwhile. Call it in a transaction."""
    counts = dict[str, JobCount]()
    for run in runs:
        _add(run, None, counts)
    JobCount.objects.append(counts)


def is_first_attempt(run: JobRun) -> bool:
    """Return whether the run is the first attempt of an occurrence of the job's schedule."""
    return run.is_scheduled and run.attempt == 1


def _add(run: JobRun, counter: str | None, counts: dict[str, JobCount]) -> None:
    entry = counts.get(run.job_name)
    if entry is None:
        entry = counts[run.job_name] = bulk.like(_BLANK, job_name=run.job_name)
    if counter:
        setattr(entry, counter, getattr(entry, counter) + run.occurrences)
    if is_first_attempt(run):
        entry.accounted_to = max(entry.accounted_to or run.due_at, run.due_at)


def fold() -> bool:
    """Add what has been counted to the jobs' rows, of BATCH jobs at most. Return False if nothing
    is left except counts of jobs that others have locked, whose rows the database refuses, or that
    have no row."""
    with database.reading():
        names = Job.objects.to_fold(BATCH)
    left = locks.around(names, _fold) if names else []
    return len(names) == BATCH and len(left) < BATCH


def _fold(names: Sequence[str]) -> None:
    with database.atomic():
        free = Job.objects.filter(name__in=names).to_fold(len(names))
        JobCount.objects.fold(free, Job._meta.db_table)


def _counter_of(run: JobRun) -> str | None:
    if run.state == RunState.CANCELLED and run.attempt > 1 and run.started_at is None:
        return "error_count"  # what was cancelled is the retry; the occurrence has failed
    return COUNTER_OF.get(RunState(run.state))
