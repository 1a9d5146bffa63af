"""The scheduler of one process: APScheduler's clock around our tick."""

import logging
import os
import socket
import time
from datetime import UTC

from apscheduler.schedulers.background import BackgroundScheduler

from scheduler_app import wakeup
from scheduler_app.backends import ThreadExecutor
from scheduler_app.backends.process import Isolation
from scheduler_app.conf import scheduler_settings
from scheduler_app.engine import liveness, releases
from scheduler_app.engine.apscheduler import NoExecutor, Timetable
from scheduler_app.engine.claim import Claimer
from scheduler_app.engine.dispatcher import Dispatcher
from scheduler_app.engine.reconcile import Reconciler
from scheduler_app.execution import capture
from scheduler_app.ledger import transitions
from scheduler_app.models import (
    Heartbeat,
    JobRun,
    LivenessSnapshot,
    Node,
    Report,
    bulk,
    clock,
    database,
)
from scheduler_app.registry import Registry, registry

logger = logging.getLogger(__name__)

LONGEST_WAIT = 1.0
"""How long, in seconds, a change made by another process can go unnoticed."""
STOP_MARGIN = 5.0
"""How long, in seconds, a stopping scheduler tries to record the last outcomes."""


class Scheduler(BackgroundScheduler):
    """Fires the jobs of `registry` until it is stopped. Any number may share a database."""

    def __init__(self, registry: Registry = registry) -> None:
        self._settings = scheduler_settings()
        self._executor = ThreadExecutor(self._settings.max_concurrent_runs)
        super().__init__(
            timezone=UTC,
            jobstores={"default": Timetable()},
            executors={"default": NoExecutor()},
        )
        self._registry = registry
        self._reconciler = Reconciler(registry)
        self._isolation = Isolation()
        self._dispatcher = Dispatcher(registry, self._executor, self._isolation, self._on_progress)
        self._failures = 0
        self._next_beat = 0.0
        self._next_check = 0.0
        self._last_beat = time.monotonic()
        self._checks_liveness_from = 0.0
        """Until then it judges nobody: after a start, an outage or a step of the clock the others
        need a moment, too, to be heard."""
        self._seen: LivenessSnapshot | None = None
        """The nodes, when it last judged."""

    def start(self) -> None:
        """Register this process as a node, bring the declared jobs into the database and begin to
        tick. Raises what the database raises."""
        clock.synchronise()
        alone = not Node.objects.alive().exists()
        self.node = self._register()
        self._claimer = Claimer(self.node, self._registry, after_stop=alone)
        self._check_liveness_later(self._settings.heartbeat)
        self._reconcile()
        if any(definition.policies.needs_process for definition in self._registry):
            self._isolation.start()
        capture.install()
        self._dispatcher.start()
        wakeup.register(self)
        super().start()

    def stop(self) -> bool:
        """Claim nothing more, let the runs that are going end within the shutdown timeout, record
        what became of each. Runs not begun are left for other nodes, or for the next start.
        False if some runs did not end in time; they are recorded as LOST."""
        deadline = time.monotonic() + self._settings.shutdown_timeout
        wakeup.unregister(self)
        self._isolation.spare()
        self._dispatcher.stop_all()
        self.shutdown(wait=False)  # also waits for a tick that is under way
        ended = self._drain(deadline)
        self._isolation.close()
        self._dispatcher.drain(STOP_MARGIN if not ended else 0.0)
        self._dispatcher.stop(STOP_MARGIN)
        capture.uninstall()
        self._executor.close()
        with database.atomic():
            message = "Lost: its scheduler stopped, and it did not end in time."
            if Node.objects.filter(pk=self.node.pk).close():
                transitions.release_runs(self.node, clock.now(), message)
        return ended

    def _drain(self, deadline: float) -> bool:
        while (left := deadline - time.monotonic()) > 0:
            if self._dispatcher.drain(min(left, self._settings.heartbeat)):
                return True
            Heartbeat.objects.beat(self.node.pk, Report())
        return False

    def _main_loop(self) -> None:
        database.serve_engine()
        super()._main_loop()
        database.connection().close()  # this thread's own

    def _process_jobs(self) -> float:
        """One tick. Never raises: a scheduler that has lost its database waits for it."""
        if not self.running:
            return LONGEST_WAIT  # APScheduler's loop comes here once more after the shutdown
        try:
            wait = self._tick()
        except Exception as error:
            return self._back_off(error)
        if self._failures:
            logger.warning("the scheduler goes on after %d failed ticks", self._failures)
            self._failures = 0
        database.forget_queries()
        return wait

    def _tick(self) -> float:
        """Claim what is due and hand it over; returns the seconds to wait for the next tick."""
        if time.monotonic() >= self._next_beat:
            self._beat()
        if time.monotonic() >= self._next_check:
            self._check()
        runs = self._claimer.claim(clock.now(), self._dispatcher.free_slots)
        self._dispatcher.hand_over(runs)
        return max(0.0, min(LONGEST_WAIT, self._next_beat - time.monotonic(), self._until_due()))

    def _until_due(self) -> float:
        """Seconds until the next job is due."""
        if self._claimer.next_due is None:
            return LONGEST_WAIT
        seconds: float = (self._claimer.next_due - clock.now()).total_seconds()
        return seconds

    def _back_off(self, error: Exception) -> float:
        self._failures += 1
        logger.error(
            "tick failed (%d in a row): %s", self._failures, error, exc_info=self._failures == 1
        )
        self._next_beat = 0.0  # a commit may have held although it failed: look for its runs
        database.connection().close()
        return min(0.05 * 2.0 ** min(self._failures, 10), LONGEST_WAIT)

    def _beat(self) -> None:
        self._follow_clock()
        if not Heartbeat.objects.beat(self.node.pk, Report(claimed_at=clock.now())):
            logger.error("this scheduler was taken for dead; it goes on as a new node")
            self._dispatcher.abandon_all()
            self.node = self._claimer.node = self._register()
        now = time.monotonic()
        if now - self._last_beat > 2 * self._settings.heartbeat:
            self._check_liveness_later(self._settings.heartbeat)
        self._last_beat, self._next_beat = now, now + self._settings.heartbeat
        self._find_unstarted_claims()
        self._reconcile()
        liveness.take_from_stopped_nodes(clock.now())

    def _follow_clock(self) -> None:
        """Look at the database's clock. If it was put forward or back, say so at once in a new
        heartbeat, and leave the others the time that each of them has to do so."""
        step = clock.synchronise().total_seconds()
        if abs(step) <= self._settings.heartbeat:
            return
        logger.warning(
            "the clock was put %s by %.0f s; the next job is due at %s",
            "forward" if step > 0 else "back",
            abs(step),
            self._claimer.next_due,
        )
        self._check_liveness_later(self._settings.dead_after)
        self._next_beat = 0.0

    def _check_liveness_later(self, seconds: float) -> None:
        self._checks_liveness_from = max(self._checks_liveness_from, time.monotonic() + seconds)

    def _on_progress(self) -> None:
        """Runs have ended: what waited for them, or for room, can start."""
        if self._claimer.more_waits and self._dispatcher.should_poll and self.running:
            self.wakeup()

    def _find_unstarted_claims(self) -> None:
        """Hand over runs of this node that were claimed, but never reached the executor."""
        active = self._dispatcher.active
        own = JobRun.objects.queued().filter(node=self.node)
        unstarted = [pk for (pk,) in bulk.fetch(own.values_list("pk")) if pk not in active]
        if unstarted:
            self._dispatcher.hand_over(own.filter(pk__in=unstarted))

    def _reconcile(self) -> None:
        """Compare what living code declares with what is stored. While it may not judge others it
        goes by the nodes that it saw before."""
        may_judge = self._may_check_liveness
        snapshot = None if may_judge else self._seen
        self._reconciler.reconcile(
            self.node, snapshot or Node.objects.liveness(), clock.now(), orphans=may_judge
        )
        self._claimer.other_rules = self._reconciler.other_rules

    def _check(self) -> None:
        """What another process may have changed: looked for once a second."""
        if self._dispatcher.active:
            asked = JobRun.objects.running().cancel_requested().filter(node=self.node)
            self._dispatcher.cancel(dict(asked.values_list("pk", "cancel_reason")))
        if self._may_check_liveness:
            self._check_liveness()
        self._next_check = time.monotonic() + LONGEST_WAIT

    @property
    def _may_check_liveness(self) -> bool:
        return time.monotonic() >= self._checks_liveness_from

    def _check_liveness(self) -> None:
        snapshot = Node.objects.liveness()
        if snapshot.dead:
            self._follow_clock()
            if not self._may_check_liveness:
                return
            liveness.close_dead_nodes(clock.now())
        if snapshot != self._seen:
            self._seen = snapshot
            self._reconcile()

    def _register(self) -> Node:
        return releases.register(f"{socket.gethostname()}:{os.getpid()}", self._registry)
