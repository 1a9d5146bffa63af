"""What a claim promises about the occurrences that are due: said of each by itself, as the README
says it, and so another way round than the engine's plan."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from scheduler_app.cron import Fire
from scheduler_app.models import Job, JobRun, RunState, Trigger
from scheduler_app.policies import CatchUp, Overlap
from tests.model.snapshot import Snapshot, is_going, is_occurrence, is_waiting

GRACE = timedelta(seconds=60)


@dataclass(slots=True)
class Moment:
    """The circumstances of a claim, for one job."""

    job: Job
    now: datetime
    back_at: datetime | None
    """Until when no scheduler was alive, if that is not long ago."""
    due: Sequence[Fire]
    """All that was due before the claim, in order."""
    active: Sequence[JobRun]
    """The job's runs that had not ended."""
    wanted: Sequence[Fire] = field(init=False)
    """What was due and is not missed. Found once: after a stop of days, thousands are due."""

    def __post_init__(self) -> None:
        latest_first = enumerate(reversed(self.due))
        self.wanted = [fire for newer, fire in latest_first if not self._is_missed(fire, newer)]

    def _is_missed(self, fire: Fire, newer: int) -> bool:
        """`newer`: how many are due that come later."""
        if self.job.catch_up == CatchUp.ALL:
            return newer >= self.job.catch_up_limit
        if fire.due_at < self.now - GRACE:
            return newer > 0 or self.job.catch_up == CatchUp.SKIP
        was_alive = self.back_at is None or fire.due_at > self.back_at
        may_run_together = self.job.overlap == Overlap.ALLOW and was_alive
        return newer > 0 and not may_run_together

    def is_skipped(self) -> bool:
        """Whether the only occurrence that may run is skipped: another run has not ended."""
        blockers = [run for run in self.active if not (is_waiting(run) and run.attempt > 1)]
        if len(self.wanted) > 1 or not blockers:
            return False
        if self.job.overlap == Overlap.QUEUE:
            return any(is_waiting(run) for run in blockers)
        return self.job.overlap == Overlap.SKIP

    def supersedes(self) -> bool:
        """Whether the runs that have not ended make room for the only one that may run."""
        return self.job.overlap == Overlap.CANCEL_PREVIOUS and len(self.wanted) == 1

    def expected(self, fire: Fire) -> str:
        if fire not in self.wanted:
            return RunState.MISSED
        return RunState.SKIPPED if self.is_skipped() else RunState.QUEUED


def check_outcomes(moment: Moment, found: Sequence[tuple[Fire, str]]) -> None:
    """What became of the occurrences that this claim dealt with."""
    for fire, state in found:
        assert state == moment.expected(fire), f"{fire}: {state}, not {moment.expected(fire)}"


def check_superseded(moment: Moment, after: Snapshot) -> None:
    """Those that go are asked to end; occurrences that have not begun end here."""
    for run in moment.active:
        if is_waiting(run) and run.attempt > 1:
            continue
        now = after.runs[run.pk]
        if run.state == RunState.RUNNING:
            assert now.cancel_requested_at is not None
        elif is_occurrence(run):
            assert now.state == RunState.CANCELLED


def check_taken(
    before: Snapshot, after: Snapshot, taken: Sequence[JobRun], node_id: int, now: datetime
) -> None:
    """Each run that was handed out is this node's and may start. If its job may not overlap, no
    other goes but those handed out with it: they begin one after the other."""
    together = {run.pk for run in taken}
    for run in taken:
        row = after.runs[run.pk]
        assert (row.state, row.node_id) == (RunState.QUEUED, node_id)
        was = before.runs.get(run.pk)
        assert was is None or is_waiting(was) or is_taken_over(was, node_id, now)
        job = after.jobs[run.job_name]
        assert not job.is_paused or run.trigger == Trigger.MANUAL, "a paused job starts"
        going = {other.pk for other in after.of(job.name) if is_going(other)}
        assert job.overlap == Overlap.ALLOW or going <= together, f"{going} go together"


def is_taken_over(was: JobRun, node_id: int, now: datetime) -> bool:
    """Whether another node had it, and has not begun it in time."""
    late = now - was.due_at >= timedelta(seconds=0.5)
    return was.state == RunState.QUEUED and was.node_id != node_id and late


def check_nothing_waits_in_vain(after: Snapshot, names: Sequence[str], now: datetime) -> None:
    """A node with room that took nothing has left nothing that it could have taken."""
    for run in after.runs.values():
        was_due = run.due_at <= now or run.created_at - now > timedelta(seconds=10)
        if is_waiting(run) and was_due and run.job_name in names:
            assert run.job_name not in after.dues or not after.is_allowed(run), f"{run!r} waits"


def check_end_of_waiting(before: Snapshot, after: Snapshot, back_at: datetime | None) -> None:
    """What was claimed is missed only after a stop, and if its job wants nothing late."""
    for pk, run in before.runs.items():
        if after.runs[pk].state == RunState.MISSED and run.state == RunState.QUEUED:
            assert back_at
            assert is_occurrence(run)
            assert is_waiting(run)
            assert run.due_at <= back_at - GRACE
            assert after.jobs[run.job_name].catch_up == CatchUp.SKIP
