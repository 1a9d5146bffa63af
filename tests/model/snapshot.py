"""The database as it stands, and what two states of it must have in common."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from scheduler_app.models import (
    Job,
    JobRun,
    RunState,
    SchedulePeriod,
    Trigger,
    name_of,
    timetable_rows,
)
from tests.model.coverage import Period

QUEUED, RUNNING, LOST = RunState.QUEUED, RunState.RUNNING, RunState.LOST
FAILURES = (RunState.FAILED, LOST)
STEPS = {
    QUEUED: {QUEUED, RUNNING, RunState.CANCELLED, RunState.MISSED},
    RUNNING: {RUNNING, RunState.SUCCESS, RunState.FAILED, RunState.CANCELLED, LOST},
}
"""Which states a run may have after each. Every other state is final."""
COUNTERS = ("run_count", "error_count", "skip_count", "miss_count")


@dataclass(slots=True)
class Snapshot:
    """All rows that matter."""

    runs: dict[int, JobRun]
    jobs: dict[str, Job]
    dues: dict[str, datetime | None]

    @classmethod
    def take(cls) -> "Snapshot":
        return cls(
            JobRun.objects.in_bulk(),
            Job.objects.counted().in_bulk(),
            {name_of(row): at for row, at in timetable_rows().values_list("id", "next_run_time")},
        )

    def of(self, name: str) -> list[JobRun]:
        return [run for run in self.runs.values() if run.job_name == name]

    def is_allowed(self, run: JobRun) -> bool:
        """Whether the run may start while the job's other runs stand as they do."""
        job = self.jobs[run.job_name]
        if job.is_paused and run.trigger != Trigger.MANUAL:
            return False
        return job.overlap == "allow" or not any(is_going(other) for other in self.of(job.name))


def is_active(run: JobRun) -> bool:
    return run.state in (QUEUED, RUNNING)


def is_waiting(run: JobRun) -> bool:
    return run.state == QUEUED and run.node_id is None


def is_going(run: JobRun) -> bool:
    return is_active(run) and run.node_id is not None


def is_occurrence(run: JobRun) -> bool:
    return run.trigger == Trigger.SCHEDULE and run.attempt == 1


def check_steps(before: Snapshot, after: Snapshot) -> None:
    """No row vanishes, none that is final changes, and each goes on by a step that exists."""
    for pk, old in before.runs.items():
        new = after.runs[pk]
        assert new.state in STEPS.get(RunState(old.state), {old.state}), f"{old.state}: {new.state}"
        assert (new.scheduled_for, new.due_at) == (old.scheduled_for, old.due_at)
        if not is_active(old):
            assert (new.finished_at, new.message) == (old.finished_at, old.message)


def check_counters(now: Snapshot) -> None:
    """Each occurrence is counted once, by its last attempt."""
    attempts: dict[int, JobRun] = {}
    for run in sorted(now.runs.values(), key=lambda run: run.attempt):
        attempts[run.first_attempt_id or run.pk] = run
    expected: dict[str, Counter[str]] = defaultdict(Counter)
    for run in attempts.values():
        expected[run.job_name][_counter(run)] += run.occurrences
    for job in now.jobs.values():
        for counter in COUNTERS:
            assert getattr(job, f"total_{counter}") == expected[job.name][counter], (
                f"{job.name}: {counter}"
            )


def _counter(last: JobRun) -> str:
    if last.state == RunState.CANCELLED and last.attempt > 1 and last.started_at is None:
        return "error_count"  # the retry did not begin, so what failed has failed
    return {
        RunState.SUCCESS: "run_count",
        RunState.FAILED: "error_count",
        RunState.LOST: "error_count",
        RunState.SKIPPED: "skip_count",
        RunState.MISSED: "miss_count",
    }.get(RunState(last.state), "none")


def check_retries(before: Snapshot, after: Snapshot, now: datetime) -> None:
    """A run that fails, or is lost, is tried again as often as its job says, and no oftener."""
    created = {pk: run for pk, run in after.runs.items() if pk not in before.runs}
    wanted = {}
    for pk, old in before.runs.items():
        job = before.jobs[old.job_name]
        failed = is_active(old) and after.runs[pk].state in FAILURES
        if failed and not job.is_orphaned and old.attempt <= job.retries:
            wanted[(old.first_attempt_id or pk, old.attempt + 1)] = (old, job)
    found = [run for run in created.values() if run.attempt > 1]
    assert sorted((run.first_attempt_id, run.attempt) for run in found) == sorted(wanted)
    for run in found:
        assert run.first_attempt_id is not None
        old, job = wanted[run.first_attempt_id, run.attempt]
        assert (run.trigger, run.scheduled_for) == (old.trigger, old.scheduled_for)
        assert run.node_id is None
        delay = min(job.retry_max_delay, job.retry_delay * 2.0 ** (old.attempt - 1))
        assert delay / 2 - 1e-3 <= (run.due_at - now).total_seconds() <= delay + 1e-3


def check_periods(expected: dict[str, list[Period]]) -> None:
    """The periods tell which schedule held when, without gap."""
    rows: Iterable[SchedulePeriod] = SchedulePeriod.objects.order_by("id")
    found: dict[str, list[Period]] = defaultdict(list)
    for row in rows:
        found[row.job_name].append((row.state, row.schedule, row.begins_at, row.ends_at))
    assert found == expected
