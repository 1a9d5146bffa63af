"""The scheduler of one process: APScheduler's clock around our tick."""

import math
import os
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import lru_cache, partial

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.schedulers.blocking import BlockingScheduler
from django.db import OperationalError

from scheduler_app import wakeup
from scheduler_app.backends import ThreadExecutor
from scheduler_app.backends.process import Isolation
from scheduler_app.conf import scheduler_settings
from scheduler_app.engine import failing, installation, leases, liveness, releases
from scheduler_app.engine.apscheduler import NoExecutor, Timetable
from scheduler_app.engine.claim import Claimer
from scheduler_app.engine.connections import WatchedConnection
from scheduler_app.engine.dispatcher import Dispatcher
from scheduler_app.engine.liveness import Liveness
from scheduler_app.engine.reconcile import Reconciler
from scheduler_app.engine.rollups import RollupKeeper
from scheduler_app.engine.telling import Teller
from scheduler_app.engine.unheld import OWNERLESS, UnheldRuns, ownerless, running_on
from scheduler_app.engine.vitals import Problem, Vitals
from scheduler_app.engine.vouching import Voucher
from scheduler_app.execution import capture
from scheduler_app.ledger import transitions
from scheduler_app.logs import SafeLogger, writer
from scheduler_app.models import (
    Change,
    JobRun,
    LivenessSnapshot,
    Node,
    Request,
    bulk,
    change,
    clock,
    database,
    locks,
)
from scheduler_app.models.patience import brief_write
from scheduler_app.processes.guard import Guard
from scheduler_app.registry import Registry, registry

logger = SafeLogger(__name__)

LONGEST_WAIT = 1.0
"""How long, in seconds, a change made by another process can go unnoticed."""
HELD_UP = OperationalError("others have locked all that is due")
STOP_MARGIN = 5.0
"""How long, in seconds, a stopping scheduler tries to record the last outcomes."""
PRUNE_EVERY, PRUNE_TIME = 60.0, 0.5
"""Seconds between two prunings of the change feed, and how long one may take."""
LOG_MARGIN = 2.0
"""How long, in seconds, a stopping scheduler waits for log handlers."""


class Scheduler(BackgroundScheduler):
    """Fires the jobs of `registry` until it is stopped. Any number may share a database."""

    def __init__(
        self,
        registry: Registry = registry,
        *,
        guard: Guard | None = None,
        adopt_database: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`guard`: the warden of this process, if there is one already. `adopt_database`: have the
        database belong to SCHEDULER["installation"] from now on. `monotonic`: the clock by which
        liveness is judged."""
        self._settings = scheduler_settings()
        self._executor = ThreadExecutor(self._settings.max_concurrent_runs)
        super().__init__(
            timezone=UTC,
            jobstores={"default": Timetable()},
            executors={"default": NoExecutor()},
        )
        self._registry = registry
        self._reconciler = Reconciler(registry)
        self._unheld = UnheldRuns(self._settings.heartbeat)
        self._ownerless = UnheldRuns(self._settings.dead_after, OWNERLESS)
        self._adopts_database = adopt_database
        self._isolation = Isolation()
        self.vitals = Vitals(monotonic)
        self._dispatcher = Dispatcher(
            registry, self._executor, self._isolation, self.vitals, self._on_progress
        )
        self._teller = Teller(lambda: self.node, lambda: self._dispatcher.speaking)
        self.vitals.probe = self._dispatcher.report_progress
        self._guard = guard or Guard(self._settings.shutdown_timeout)
        self._owns_guard = guard is None
        self._voucher = Voucher(self._guard, self._dispatcher.in_threads, self._observe)
        self.liveness = Liveness(self.vitals, self._voucher, self.hurry, monotonic)
        self._connection = WatchedConnection(self._settings.stuck_after / 2)
        self._rollups = RollupKeeper(self._settings.stuck_after / 2)
        self._failures = 0
        self._next_chores = 0.0
        self._next_check = 0.0
        self._next_prune = 0.0
        self._next_resume: datetime | None = None
        """When the next pause ends, as far as the last look saw."""
        self._judged: LivenessSnapshot | None = None
        """The nodes by which it last judged what is declared."""
        self._counted: frozenset[int] = frozenset()
        """The nodes whose declarations counted last."""

    @property
    def problem(self) -> Problem | None:
        """Why this scheduler does not work; None if it does."""
        return self.vitals.problem()

    def start(self) -> None:
        """Register this process as a node, bring the declared jobs into the database and begin to
        tick. Raises what the database raises, and InstallationError."""
        database.keep_write_ahead_log()
        clock.synchronise()
        installation.check(adopt=self._adopts_database)
        alone = not Node.objects.alive().exists()
        with ExitStack() as undo:
            writer.start()
            undo.callback(writer.stop, LOG_MARGIN)
            self.node = self._register()
            self._start(alone, undo)
            undo.pop_all()

    def _start(self, alone: bool, undo: ExitStack) -> None:
        """Start the parts; `undo` is to be done if one cannot be started."""
        undo.callback(self._close_guard)
        undo.callback(self._close_node)
        self.vitals.restart()
        undo.callback(self.vitals.stop)
        undo.callback(self.liveness.stop, STOP_MARGIN)
        self.liveness.start(self.node)
        undo.callback(self._voucher.stop)
        self._voucher.start()
        self._claimer = Claimer(self.node, self._registry, after_stop=alone)
        self._reconcile()
        undo.callback(self._isolation.close)
        if any(definition.policies.needs_process for definition in self._registry):
            self._isolation.start()
        capture.install()
        undo.callback(capture.uninstall)
        self._dispatcher.start()
        undo.callback(self._dispatcher.stop, STOP_MARGIN)
        self._teller.start()
        undo.callback(self._teller.stop, STOP_MARGIN)
        wakeup.register(self)
        undo.callback(wakeup.unregister, self)
        undo.callback(BlockingScheduler.shutdown, self, wait=False)
        super().start()
        undo.callback(self._rollups.stop, STOP_MARGIN)
        self.vitals.restart()
        self.vitals.claims.thread = self._thread
        self.vitals.threads += [self._thread, self.liveness.thread, self._voucher.thread]
        self.vitals.threads += filter(None, [writer.thread])

    def stop(self) -> bool:
        """Claim nothing more, let running runs end within the shutdown timeout, record what became
        of each. Queued runs are left for other nodes, or for the next start.

        Returns a few seconds after the timeout at the latest, whatever hangs; False if something
        was cut off: runs that did not end in time, which are recorded as LOST, or what could not be
        recorded."""
        deadline = time.monotonic() + self._settings.shutdown_timeout
        self.vitals.stop()
        wakeup.unregister(self)
        self._isolation.spare()
        self._dispatcher.stop_all()
        has_ended = self._end_tick()
        self._rollups.stop(0.0)
        has_ended &= self._dispatcher.drain(max(0.0, deadline - time.monotonic()))
        self._isolation.close()
        self._dispatcher.drain(STOP_MARGIN if not has_ended else 0.0)
        has_ended &= self._dispatcher.stop(STOP_MARGIN)
        self._teller.stop(STOP_MARGIN)
        capture.uninstall()
        self._executor.close()
        has_ended &= self.liveness.stop(STOP_MARGIN)
        self._voucher.stop()
        has_ended &= self._close_node()
        self._rollups.stop(STOP_MARGIN)
        self._close_guard()
        writer.stop(LOG_MARGIN)
        return has_ended

    def _close_guard(self) -> None:
        if self._owns_guard:
            self._guard.close()

    def _end_tick(self) -> bool:
        """End the thread of the tick, once a tick that is under way has ended."""
        thread = self._thread
        BlockingScheduler.shutdown(self, wait=False)  # BackgroundScheduler's waits for ever
        thread.join(STOP_MARGIN)
        return not thread.is_alive()

    def _close_node(self) -> bool:
        """Mark the node as stopped, and end its hold on its runs; others do so later if this one
        cannot."""
        message = "Lost: its scheduler stopped, and it did not end in time."
        try:
            with brief_write(STOP_MARGIN):
                if Node.objects.filter(pk=self.node.pk).close():
                    change.note_node(self.node.name)
                    transitions.release_runs(self.node, clock.now(), message)
        except Exception as error:
            logger.error("%s could not be marked as stopped: %s", self.node, error)
            return False
        return True

    def hurry(self) -> None:
        """Have the next tick, which is due at once, do all that is done once a heartbeat."""
        self._next_chores = self._next_check = 0.0
        if self.running:
            self.wakeup()

    def tick(self) -> float:
        """Claim what is due and hand it over; returns the seconds to wait for the next tick. The
        scheduler's own thread calls it."""
        if self.liveness.is_given_up:
            self._register_again()
        if self._next_resume and self._next_resume <= clock.now():
            self._look_for_leases()
        runs = self._claimer.claim(
            clock.now(),
            self._dispatcher.free_slots,
            is_overloaded=self._dispatcher.is_overloaded,
        )
        self._dispatcher.hand_over(runs)
        if self._claimer.is_held_up:
            refusal = self._claimer.refusal
            holder = "" if refusal else locks.waits_for("")
            self.vitals.claims.failed(refusal or HELD_UP, holder)
        else:
            self.vitals.claims.progressed(self.vitals.monotonic())
        if time.monotonic() >= self._next_check:
            self._check()
        if time.monotonic() >= self._next_chores:
            self._chores()
        return max(0.0, min(LONGEST_WAIT, self._until_due()))

    def _main_loop(self) -> None:
        database.serve_engine()
        super()._main_loop()
        database.close_connection()  # this thread's own
        self._connection.close()

    def _process_jobs(self) -> float:
        """Tick once. Never raises: a scheduler that has lost its database waits for it."""
        if not self.running:
            return LONGEST_WAIT  # APScheduler's loop calls this once more after the shutdown
        try:
            with self._connection:
                wait = self.tick()
            if self._failures:
                logger.warning("recovered after %d failed ticks", self._failures)
                self._failures = 0
            database.forget_queries()
        except BaseException as error:
            return self._back_off(error)
        return wait

    def _back_off(self, error: BaseException) -> float:
        self._failures += 1
        self.vitals.claims.failed(error, locks.holder(error))
        logger.error(
            "tick failed (%d in a row): %s", self._failures, error, exc_info=self._failures == 1
        )
        self._next_chores = 0.0  # a commit may have held although it failed: look for its runs
        database.close_connection()
        return min(0.05 * 2.0 ** min(self._failures, 10), LONGEST_WAIT)

    def _observe(self, seconds: float) -> None:
        """Have no thread of the engine wait for ever for an answer of the database."""
        engine = (self._connection, self._dispatcher.connection, self._teller.connection)
        for used in (self.liveness.connection, self._rollups.connection, *engine):
            used.observe(seconds)

    def _until_due(self) -> float:
        """Return the seconds until the next job is due."""
        if self._claimer.next_due is None:
            return LONGEST_WAIT
        seconds: float = (self._claimer.next_due - clock.now()).total_seconds()
        return seconds

    def _on_progress(self) -> None:
        """Wake the tick after runs have ended: what waited for them, or for room, can start."""
        if self._claimer.more_waits and self._dispatcher.should_poll and self.running:
            self.wakeup()

    def _chores(self) -> None:
        """Do what is due once a heartbeat. A chore that fails does not prevent the others."""
        errors = []
        for chore in (
            self._find_unstarted_claims,
            self._close_unheld_runs,
            self._dispatcher.account_for_runs,
            partial(self._reconcile, self._settings.heartbeat / 2),
            self._take_from_stopped_nodes,
            self._prune_feed,
            self._look_for_leases,
            self._rollups.ensure_running,
            failing.pause_failing,
        ):
            try:
                chore()
            except BaseException as error:
                errors.append(error)
        if errors:
            raise errors[0]
        self._next_chores = time.monotonic() + self._settings.heartbeat

    def _look_for_leases(self) -> None:
        """Resume the jobs whose pauses are over."""
        self._next_resume = leases.next_end()
        if self._next_resume and self._next_resume <= clock.now():
            leases.end_pauses(clock.now())
            self._next_resume = leases.next_end()

    def _prune_feed(self) -> None:
        if time.monotonic() < self._next_prune:
            return
        is_left = True
        deadline = time.monotonic() + PRUNE_TIME
        while is_left and time.monotonic() < deadline:
            with database.atomic():
                is_left = Change.objects.prune(clock.now())
        with database.atomic():
            Request.objects.prune(clock.now())
        self._next_prune = time.monotonic() + (0.0 if is_left else PRUNE_EVERY)

    def _check(self) -> None:
        """Look, once a second, for what another process may have changed."""
        if self._dispatcher.active:
            asked = JobRun.objects.running().cancel_requested().filter(node=self.node)
            self._dispatcher.cancel(dict(asked.values_list("pk", "cancel_reason")))
        snapshot = self.liveness.snapshot()
        if snapshot is not None and snapshot != self._judged:
            self._reconcile(self._settings.heartbeat / 2)
        if self._dispatcher.has_failed():
            failing.pause_failing()
        self._next_check = time.monotonic() + LONGEST_WAIT

    def _find_unstarted_claims(self) -> None:
        """Hand over runs of this node that were claimed, but never reached the executor."""
        active = self._dispatcher.active
        own = bulk.fetch(_queued_on(database.alias(), self.node.pk))
        unstarted = [pk for (pk,) in own if pk not in active]
        if unstarted:
            queued = JobRun.objects.queued().filter(node=self.node)
            self._dispatcher.hand_over(queued.filter(pk__in=unstarted))

    def _close_unheld_runs(self) -> None:
        for unheld, running in (
            (self._unheld, running_on(self.node)),
            (self._ownerless, ownerless()),
        ):
            unheld.close(running, self._dispatcher.held, clock.now())

    def _reconcile(self, seconds: float = math.inf) -> None:
        """Compare what living code declares with what is stored. While this scheduler may not judge
        others, the nodes that it saw before count, and those that started since: declarations are
        taken over, nothing is marked as orphaned."""
        judged = self.liveness.snapshot()
        view = judged or self._unjudged()

        def still_holds() -> bool:
            """Whether no node has started since and, asked last, the judgement is still fresh."""
            is_newest = Node.objects.liveness().newest == view.newest
            return is_newest and judged in (None, self.liveness.snapshot())

        self._reconciler.reconcile(
            self.node,
            view,
            clock.now(),
            orphans=judged is not None,
            still_holds=still_holds,
            seconds=seconds,
        )
        self._judged = judged or self._judged
        self._counted = view.alive
        self._claimer.other_rules = self._reconciler.other_rules
        self._claimer.undeclared.difference_update(self._registry.added)

    def _unjudged(self) -> LivenessSnapshot:
        """Return the nodes that are alive now, and those that counted before."""
        now = Node.objects.liveness()
        return now._replace(alive=now.alive | self._counted)

    def _take_from_stopped_nodes(self) -> None:
        liveness.take_from_stopped_nodes(clock.now())

    def _register_again(self) -> None:
        logger.error("this scheduler was marked dead; it continues as a new node")
        self._dispatcher.abandon_all()
        self.node = self._claimer.node = self._register()
        self.liveness.take(self.node)
        self._next_chores = 0.0

    def _register(self) -> Node:
        return releases.register(f"{socket.gethostname()}:{os.getpid()}", self._registry)


@lru_cache(maxsize=16)
def _queued_on(alias: str, node_id: int) -> bulk.Compiled:
    rows = JobRun.objects.using(alias).queued().filter(node=node_id)
    return bulk.compiled(rows.values_list("pk"))
