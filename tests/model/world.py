"""Processes, the database and the model of it: every step is checked as it is made."""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime
from typing import Any, NoReturn
from unittest import mock

from django.db import OperationalError

from scheduler_app.cron import Fire
from scheduler_app.engine import pickup
from scheduler_app.engine.claim import Claimer
from scheduler_app.ledger import transitions
from scheduler_app.models import Job, JobRun, Node, RunState, database
from scheduler_app.registry import JobDefinition, Registry
from tests.model import promises
from tests.model.clock import CLOCK, seems_alive
from tests.model.coverage import Coverage, State
from tests.model.process import Process
from tests.model.promises import Moment
from tests.model.snapshot import (
    Snapshot,
    check_counters,
    check_periods,
    check_retries,
    check_steps,
    is_active,
    is_occurrence,
)

Found = dict[str, list[tuple[Fire, str]]]


class World:
    """Some processes on one database, and what its rows must say."""

    def __init__(self) -> None:
        self.processes: list[Process] = []
        self.crashed: list[Node] = []
        self.jobs: dict[str, Coverage] = {}
        self.put_back: set[str] = set()
        self.releases: dict[str, Registry] = {}
        """The one that was first seen last comes last."""
        self.held = Snapshot.take()

    def observe(self, turned: Collection[str] = ()) -> Found:
        """Check what the last step did. `turned`: the jobs that somebody paused or resumed."""
        before, after = self.held, Snapshot.take()
        self.held = after
        check_steps(before, after)
        check_counters(after)
        check_retries(before, after, CLOCK.now)
        found = self._absorb(before, after)
        for job in after.jobs.values():
            self._turn(job, job.name in turned)
        check_periods({name: coverage.periods for name, coverage in self.jobs.items()})
        for name, coverage in self.jobs.items():
            self._check_due(name, coverage)
        return found

    def quiet_step(self, turned: Collection[str] = ()) -> None:
        """Check a step that claims nothing: all that was due at a turn is skipped; what jitter
        has put off may wait for its time."""
        found = self.observe(turned)
        for fire, state in (pair for pairs in found.values() for pair in pairs):
            waits = fire.due_at > CLOCK.now
            assert state == (RunState.QUEUED if waits else RunState.SKIPPED), f"{fire}: {state}"

    def start(self, registry: Registry) -> Process:
        others = {node.release for node in Node.objects.alive()}
        process = Process(registry)
        process.start()
        release = process.node.release
        if not others - {release}:
            self.releases.pop(release, None)
        self.releases.setdefault(release, registry)
        self.quiet_step()
        self._check_declared(process)
        self.processes.append(process)
        return process

    def check(self, process: Process) -> None:
        process.check()
        self.quiet_step()
        declared = {name for node in Node.objects.alive() for name in node.declares}
        orphaned = {job.name for job in self.held.jobs.values() if job.is_orphaned}
        assert not orphaned & declared & set(process.registry.names)
        assert set(self.held.jobs) - declared <= orphaned
        self._check_declared(process)

    def _check_declared(self, process: Process) -> None:
        """Each job is as the newest living release says that declares it."""
        alive = {node.release for node in Node.objects.alive()} | {process.node.release}
        deciding: dict[str, JobDefinition] = {}
        for release, registry in self.releases.items():
            if release in alive:
                deciding |= {definition.name: definition for definition in registry}
        for name, definition in deciding.items():
            job = self.held.jobs[name]
            assert (job.schedule, job.policies) == (definition.schedule, definition.policies)

    def claim(self, process: Process, room: int) -> list[JobRun]:
        moments = self._moments(process)
        before = self.held
        taken = process.claim(room)
        found = self.observe()
        after = self.held
        assert len([run for run in taken if run.pk in before.runs]) <= room
        promises.check_taken(before, after, taken, process.node.pk, CLOCK.now)
        promises.check_end_of_waiting(before, after, process.back_at)
        self._check_claimed(moments, found)
        self._note_end_of_stop(process)
        if room and not taken and not self.is_due(process):
            promises.check_nothing_waits_in_vain(after, process.registry.names, CLOCK.now)
        return taken

    def claim_fails(self, process: Process, fault: str) -> None:
        """A claim in the middle of which the database goes away."""
        moments = self._moments(process)
        before = self.held
        with suppress(OperationalError), FAULTS[fault]():
            process.claim(9)
        found = self.observe()
        promises.check_end_of_waiting(before, self.held, process.back_at)
        self._check_claimed(moments, found)
        self._note_end_of_stop(process)

    def is_due(self, process: Process, now: datetime | None = None) -> bool:
        """Whether something is still to be claimed, of the jobs that this process declares."""
        dues = [self.held.dues.get(name) for name in process.registry.names]
        return any(due is not None and due <= (now or CLOCK.now) for due in dues)

    def _note_end_of_stop(self, process: Process) -> None:
        if process.back_at and not self.is_due(process, process.back_at):
            process.after_stop, process.first_claim = False, None

    def crash(self, process: Process) -> None:
        self.processes.remove(process)
        self.crashed.append(process.node)

    def notice_crashes(self) -> None:
        for node in self.crashed:
            seems_alive(node, False)
        self.crashed.clear()

    def _moments(self, process: Process) -> dict[str, Moment]:
        moments = {}
        for name in process.registry.names:
            due = self.jobs[name].due(CLOCK.now) if name in self.jobs else []
            active = [run for run in self.held.of(name) if is_active(run)]
            job = self.held.jobs[name]
            moments[name] = Moment(job, CLOCK.now, process.back_at, due, active)
        return moments

    def _check_claimed(self, moments: dict[str, Moment], found: Found) -> None:
        assert set(found) <= set(moments), "a job that this code lacks was claimed"
        for name, pairs in found.items():
            moment = moments[name]
            states = {pk: run.state for pk, run in self.held.runs.items()}
            moment.active = [r for r in moment.active if states[r.pk] != RunState.MISSED]
            promises.check_outcomes(moment, pairs)
            if moment.supersedes() and pairs[-1][0] == moment.due[-1]:
                promises.check_superseded(moment, self.held)

    def _absorb(self, before: Snapshot, after: Snapshot) -> Found:
        new = [run for pk, run in after.runs.items() if pk not in before.runs]
        states = {run.pk: run.state for run in new}
        found: Found = {}
        for name in {run.job_name for run in new if is_occurrence(run)}:
            rows: Iterable[JobRun] = (r for r in new if r.job_name == name and is_occurrence(r))
            found[name] = self.jobs[name].absorb(rows, states)
        return found

    def _turn(self, job: Job, turned: bool) -> None:
        state = State.PAUSED if job.is_paused else State.ACTIVE
        state = State.ORPHANED if job.is_orphaned else state
        coverage = self.jobs.get(job.name)
        if coverage is None:
            self.jobs[job.name] = Coverage(job.schedule, CLOCK.now)
        elif turned or (coverage.state, coverage.schedule) != (state, job.schedule):
            coverage.turn(state, job.schedule, CLOCK.now)

    def _check_due(self, name: str, coverage: Coverage) -> None:
        if name not in self.held.dues:
            return
        due, fire = self.held.dues[name], coverage.next()
        if name in self.put_back and due and fire and due < fire.due_at:
            return
        assert due == (fire and fire.due_at), f"{name} is due {due}, not {fire}"
        self.put_back.discard(name)


def rolled_back() -> AbstractContextManager[None]:
    """A transaction for a world of its own; nothing of it stays."""
    return database.atomic()


@contextmanager
def commit_fails() -> Iterator[None]:
    """The claim has done its work, and its transaction is rolled back."""
    claim_rows = Claimer._claim_rows

    def fail(*args: Any, **options: Any) -> NoReturn:
        claim_rows(*args, **options)
        raise OperationalError

    with mock.patch.object(Claimer, "_claim_rows", fail):
        yield


FAULTS: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "insert": lambda: mock.patch.object(transitions, "insert", side_effect=OperationalError),
    "pick_up": lambda: mock.patch.object(pickup, "pick_up", side_effect=OperationalError),
    "commit": commit_fails,
}
