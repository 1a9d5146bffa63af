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
        is_occurrence = run.is_scheduled and run.attempt == 1
        if not (counter or is_occurrence):
            continue
        entry = counts.get(run.job_name)
        if entry is None:
            entry = counts[run.job_name] = bulk.like(_BLANK, job_name=run.job_name)
        if counter:
            setattr(entry, counter, getattr(entry, counter) + run.occurrences)
        if is_occurrence:
            entry.accounted_to = max(entry.accounted_to or run.due_at, run.due_at)
    JobCount.objects.append(counts)


def account_for(runs: Iterable[JobRun]) -> None:
    """Keep that these runs' occurrences, which have been claimed, and all before them, are
    accounted for: should a row be deleted before its run has ended, that is not forgotten."""
    entries = dict[str, JobCount]()
    for run in runs:
        if run.is_scheduled and run.attempt == 1:
            entry = entries.setdefault(run.job_name, bulk.like(_BLANK, job_name=run.job_name))
            entry.accounted_to = max(entry.accounted_to or run.due_at, run.due_at)
    JobCount.objects.append(entries)


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
