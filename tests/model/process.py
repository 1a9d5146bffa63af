"""A scheduler process without threads: the parts of the real engine, each moved by hand."""

from dataclasses import dataclass, field
from datetime import datetime

from scheduler_app.engine import liveness, releases
from scheduler_app.engine.claim import Claimer
from scheduler_app.engine.pickup import Backlogs
from scheduler_app.engine.reconcile import Reconciler
from scheduler_app.engine.recorder import record
from scheduler_app.ledger import timetable, transitions
from scheduler_app.models import (
    Heartbeat,
    JobRun,
    Node,
    Report,
    RunState,
    database,
)
from scheduler_app.policies import Overlap
from scheduler_app.registry import Registry
from tests.model.clock import CLOCK, seems_alive


@dataclass(slots=True)
class Process:
    """What Scheduler does, in its order, when it is told to."""

    registry: Registry
    node: Node = field(init=False)
    claimer: Claimer = field(init=False)
    reconciler: Reconciler = field(init=False)
    pending: list[JobRun] = field(default_factory=list)
    """Claimed, not begun."""
    going: list[JobRun] = field(default_factory=list)
    after_stop: bool = False
    """Whether it began alone, and has not yet dealt with all that was due at its first claim."""
    first_claim: datetime | None = None

    @property
    def back_at(self) -> datetime | None:
        """Until when no scheduler was alive, if it still has to deal with what was due then."""
        return (self.first_claim or CLOCK.now) if self.after_stop else None

    def start(self) -> None:
        self.after_stop = not Node.objects.alive().exists()
        self.node = self._register()
        self.claimer = Claimer(
            self.node,
            self.registry,
            after_stop=self.after_stop,
            backlogs=Backlogs(lambda: CLOCK.now.timestamp()),
        )
        self.reconciler = Reconciler(self.registry)
        self.reconcile(orphans=False)

    def beat(self) -> None:
        """Find out whether this process was taken for dead, and which of its runs went astray."""
        if not Heartbeat.objects.beat(self.node.pk, Report()):
            self.pending.clear()
            self.node = self.claimer.node = self._register()
        seems_alive(self.node, True)
        in_hand = {run.pk for run in [*self.pending, *self.going]}
        own = JobRun.objects.queued().filter(node=self.node)
        self.pending += [run for run in own if run.pk not in in_hand]
        liveness.take_from_stopped_nodes(CLOCK.now)

    def check(self) -> None:
        """Look for what other processes have changed."""
        for pk in sorted(Node.objects.liveness().dead):
            liveness.close_dead_node(pk, self.node.pk)
        self.reconcile()

    def reconcile(self, *, orphans: bool = True) -> None:
        snapshot = Node.objects.liveness()
        self.reconciler.reconcile(self.node, snapshot, CLOCK.now, orphans=orphans)

    def claim(self, room: int) -> list[JobRun]:
        self.first_claim = self.back_at
        runs = self.claimer.claim(CLOCK.now, room)
        self.pending += runs
        return runs

    def begin(self, count: int) -> set[int]:
        """Record the start of the next runs; those that it no longer holds are dropped. Runs of a
        job that may not overlap begin one after the other."""
        starts: list[JobRun] = []
        for run in self.pending:
            if len(starts) < count and not self._is_behind(run, [*self.going, *starts]):
                starts.append(run)
        self.pending = [run for run in self.pending if run not in starts]
        begun = record(starts, []).begun
        self.going += [run for run in starts if run.pk in begun]
        return begun

    def _is_behind(self, run: JobRun, others: list[JobRun]) -> bool:
        definition = self.registry.get(run.job_name)
        may_overlap = definition is not None and definition.policies.overlap == Overlap.ALLOW
        return not may_overlap and run.job_name in {other.job_name for other in others}

    def end(self, run: JobRun, state: RunState) -> None:
        """Record what became of a run that was going."""
        self.going.remove(run)
        run.started_at = run.started_at or CLOCK.now
        run.finished_at, run.state, run.message = CLOCK.now, state, ""
        record([], [run])

    def stop(self) -> None:
        """Go in good order; what is still going is lost."""
        with database.atomic():
            if Node.objects.filter(pk=self.node.pk).close():
                transitions.release_runs(self.node, CLOCK.now, "Lost: its scheduler stopped.")

    def is_due(self, now: datetime) -> bool:
        """Whether something is still to be claimed, of the jobs that it declares."""
        due_at = timetable.next_due(excluding=self.claimer.undeclared)
        return due_at is not None and due_at <= now

    def _register(self) -> Node:
        node = releases.register("modelled", self.registry)
        seems_alive(node, True)
        return node
