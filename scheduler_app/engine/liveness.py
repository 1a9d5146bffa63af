"""A scheduler's liveness, apart from its work: heartbeats, and judgement of the others.

One thread with a connection of its own. It reports and judges, and nothing else: it waits for no
lock longer than a heartbeat, and for none that the engine's other threads hold. Only a node that is
fresh itself judges others: each judgement begins with a heartbeat, uses one snapshot, and is
dropped if it took longer than a heartbeat."""

import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache, partial

from django.db import DatabaseError

from scheduler_app.conf import scheduler_settings
from scheduler_app.engine.connections import WatchedConnection
from scheduler_app.engine.vitals import Part, Problem, Vitals
from scheduler_app.engine.vouching import Voucher
from scheduler_app.ledger import transitions
from scheduler_app.logs import SafeLogger
from scheduler_app.models import (
    Heartbeat,
    JobRun,
    LivenessSnapshot,
    Node,
    Report,
    bulk,
    change,
    clock,
    database,
    locks,
)
from scheduler_app.models.patience import brief_read, brief_write

logger = SafeLogger(__name__)

LOOK = 1.0
"""How often, in seconds, it looks at the others, and at the engine of its own process."""
LONGEST_GAP = 1.5
"""After a gap of so many heartbeats between two of its own a node waits before it judges: what held
it up may have held up others, too, so that they only seem dead."""
RECOVERY = 2
"""How long it waits then, in heartbeats: another node may first have to give up a question that the
database never answers, which it does after one heartbeat, and then connect anew."""
LONGEST_ANSWER = 1.0
"""After so many heartbeats without an answer it breaks the connection and connects anew: early
enough to send a heartbeat before other schedulers mark the node dead."""
PRUNE_EVERY = 20
"""One in so many heartbeats deletes those that are superseded."""


class Late(Exception):
    """A judgement took so long that the others may have sent a heartbeat since."""


class Liveness:
    """Of one scheduler. `hurry` is called when the tick should look for what has changed."""

    def __init__(
        self,
        vitals: Vitals,
        voucher: Voucher,
        hurry: Callable[[], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = scheduler_settings()
        self._vitals = vitals
        self._voucher = voucher
        self._hurry = hurry
        self._monotonic = monotonic
        self._looking = threading.RLock()
        self._stopped = threading.Event()
        self.thread = threading.Thread(target=self._loop, name="scheduler-liveness", daemon=True)
        self._judges_from = 0.0
        self._beats = 0
        self._failures = 0
        self._next_beat = 0.0
        self._said = ""
        self._is_untold = False
        """Whether the feed does not know yet that this scheduler works, or does not."""
        self._given_up: Node | None = None
        self._seen: tuple[LivenessSnapshot, float] | None = None
        self.problem: Problem | None = None
        """Why this scheduler does not work, as last seen."""
        self.connection = WatchedConnection(LONGEST_ANSWER * self._settings.heartbeat)
        self.looked_at = self.beat_at = monotonic()
        """When it last looked, and when its last heartbeat was written, at the earliest."""

    def start(self, node: Node) -> None:
        """Beat for this node, until stop()."""
        self.take(node)
        self.judge_later(self._settings.heartbeat)
        self.looked_at = self.beat_at = self._monotonic()
        self.thread.start()

    def stop(self, timeout: float) -> bool:
        """Beat no more. Return False if it did not end within `timeout` seconds."""
        self._stopped.set()
        if self.thread.ident is not None:
            self.thread.join(timeout)
        return not self.thread.is_alive()

    def take(self, node: Node) -> None:
        """Beat for this node from now on. Its id may be that of the last one, if the tables were
        emptied."""
        self._node = node
        self._next_beat = 0.0

    @property
    def is_given_up(self) -> bool:
        """Whether others have closed the node."""
        return self._given_up is self._node

    @property
    def database_answers(self) -> bool:
        """Whether a heartbeat has been written lately."""
        return self._monotonic() - self.beat_at < 2 * self._settings.heartbeat

    @property
    def may_judge(self) -> bool:
        """Whether it may judge others: not just after a start, an outage or a step of the clock,
        when they need a moment, too, to send a heartbeat."""
        return self._monotonic() >= self._judges_from

    def judge_later(self, seconds: float) -> None:
        """Judge no other node within so many seconds."""
        self._judges_from = max(self._judges_from, self._monotonic() + seconds)

    def judge_from(self, moment: float) -> None:
        """Judge others from this moment of the monotonic clock on, whatever was said before."""
        self._judges_from = moment

    def snapshot(self) -> LivenessSnapshot | None:
        """Return the nodes as last seen, to be acted upon; None if that may be out of date."""
        seen = self._seen
        if seen is None or not self.may_judge:
            return None
        snapshot, at = seen
        return snapshot if self._monotonic() - at <= self._settings.heartbeat else None

    def look(self) -> None:
        """Beat if it is time, and judge the others."""
        with self._looking:
            now = self.looked_at = self._monotonic()
            problem = self.problem = self._vitals.problem()
            if now >= self._next_beat or bool(problem) != bool(self._said):
                self._follow_clock()
                self._beat(problem)
            self._voucher.vouch(self._node.pk, self._report(problem))
            if self.may_judge and not self._vitals.is_stopping:
                self._judge()
            self._failures = 0

    def beat(self) -> None:
        """Beat now."""
        with self._looking:
            self._beat(self._vitals.problem())

    def _loop(self) -> None:
        while not self._stopped.wait(self._pause()):
            try:
                with self.connection:
                    self.look()
                database.forget_queries()
            except BaseException as error:
                self._failed(error)
        database.close_connection()
        self.connection.close()

    def _pause(self) -> float:
        until_beat = self._next_beat - self._monotonic()
        shortest, longest = 0.05, min(LOOK, self._settings.heartbeat / 4)
        return min(longest, max(shortest, until_beat))

    def _failed(self, error: BaseException) -> None:
        self._failures += 1
        if self._failures & (self._failures - 1) == 0:  # the first, second, fourth, eighth...
            logger.warning("liveness: failed %d times in a row: %s", self._failures, error)
        database.close_connection()

    def _beat(self, problem: Problem | None) -> None:
        before, began = self.beat_at, self._monotonic()
        node = self._node  # another may take its place meanwhile, with the same id even
        with brief_write(self._settings.heartbeat):
            heard = Heartbeat.objects.beat(node.pk, self._report(problem))
        if not heard:
            self._given_up = node
            self._hurry()
            return
        self._tell(problem)
        if self._is_untold:  # not in the transaction of the heartbeat, which waits for nothing
            with brief_write(self._settings.heartbeat):
                change.note_node(node.name)
            self._is_untold = False
        if self._monotonic() - before > LONGEST_GAP * self._settings.heartbeat:
            self.judge_later(RECOVERY * self._settings.heartbeat)
        self.beat_at, self._next_beat = began, began + self._settings.heartbeat
        self._beats += 1
        if self._beats % PRUNE_EVERY == 0:
            with brief_write(self._settings.heartbeat):
                Heartbeat.objects.prune()

    def _tell(self, problem: Problem | None) -> None:
        said = problem.text if problem else ""
        if said and not self._said and not self._vitals.is_stopping:
            logger.error("this scheduler does not work: %s", said)
        elif self._said and not said:
            logger.warning("this scheduler works again")
        self._is_untold |= bool(said) != bool(self._said)
        self._said = said

    def _report(self, problem: Problem | None) -> Report:
        vitals = self._vitals
        return Report(
            claimed_at=self._moment(vitals.claims),
            recorded_at=self._moment(vitals.records),
            executed_at=self._moment(vitals.starts),
            problem=problem.text if problem else "",
            problem_since=self._at(problem.since) if problem else None,
        )

    def _moment(self, part: Part) -> datetime:
        return self._at(part.at)

    def _at(self, moment: float) -> datetime:
        return clock.now() - timedelta(seconds=self._monotonic() - moment)

    def _follow_clock(self) -> bool:
        """Look at the database's clock. If it was put forward or back, return True, and give each
        of the others the time for a new heartbeat."""
        with brief_read(self._settings.heartbeat):
            step = clock.synchronise().total_seconds()
        if abs(step) <= self._settings.heartbeat:
            return False
        direction = "forward" if step > 0 else "back"
        logger.warning("the clock was put %s by %.0f s", direction, abs(step))
        self.judge_later(self._settings.dead_after)
        self._next_beat = 0.0
        self._hurry()
        return True

    def _judge(self) -> None:
        began = self._monotonic()
        snapshot = self._take_snapshot()
        if snapshot.dead:
            if self._follow_clock():
                return
            self.beat()
            if not self.may_judge:
                return
            snapshot = self._take_snapshot()
            self._close_dead(snapshot, began)
        if self._node.pk not in snapshot.alive or not self._is_in_time(began):
            return
        before = self._seen
        self._seen = (snapshot, began)
        if before is None or before[0] != snapshot:
            self._hurry()

    def _take_snapshot(self) -> LivenessSnapshot:
        with brief_read(self._settings.heartbeat):
            return Node.objects.liveness()

    def _close_dead(self, snapshot: LivenessSnapshot, began: float) -> None:
        for pk in sorted(snapshot.dead):
            if self._node.pk not in snapshot.alive or not self._is_in_time(began):
                return
            close_dead_node(pk, self._node.pk, lambda: self._is_in_time(began))

    def _is_in_time(self, began: float) -> bool:
        now, heartbeat = self._monotonic(), self._settings.heartbeat
        return now - began <= heartbeat and now - self.beat_at <= heartbeat


def close_dead_node(pk: int, judge: int, in_time: Callable[[], bool] = lambda: True) -> bool:
    """Close a node that has been silent for too long, and end its hold on its runs; `judge` is the
    node that says so. What others have locked, or the database refuses, is left for
    take_from_stopped_nodes(). Return False if nothing is to be closed, or it took too long."""
    with brief_read(scheduler_settings().heartbeat):
        node = Node.objects.get(pk=pk)
    message = f"Lost: its scheduler, {node.name}, died or froze during the run."
    lost: Sequence[JobRun] = []
    try:
        with brief_write(scheduler_settings().heartbeat):
            if not _close(node, judge):
                return False
            lost = transitions.release_runs(node, clock.now(), message)
            _check(in_time)
    except Late:
        return False
    except DatabaseError as error:
        logger.warning("scheduler %s is dead; its runs cannot be closed yet: %s", node.name, error)
        with brief_write(scheduler_settings().heartbeat):
            return _close(node, judge)
    logger.error("scheduler %s is dead; %d of its runs are lost", node.name, len(lost))
    return True


def take_from_stopped_nodes(now: datetime) -> None:
    """End the hold of nodes that were closed, and still hold runs: because others had locked these,
    or because the node froze in the middle of a claim."""
    holding = bulk.fetch(_stopped_and_holding(database.alias()))
    for node in Node.objects.filter(pk__in={pk for (pk,) in holding}) if holding else ():
        message = f"Lost: its scheduler, {node.name}, died or froze during the run."
        change = partial(_release, node, now, message)
        locks.around(transitions.held_by(node), change, _log_refusal)


def _release(node: Node, now: datetime, message: str, runs: Sequence[int]) -> None:
    with database.atomic():
        transitions.release_runs(node, now, message, runs)


def _log_refusal(run_id: int, error: DatabaseError) -> None:
    logger.error("the database refuses that run %d is taken from a dead node: %s", run_id, error)


@lru_cache(maxsize=16)
def _stopped_and_holding(alias: str) -> bulk.Compiled:
    rows = JobRun.objects.using(alias).of_stopped_nodes().order_by().distinct()
    return bulk.compiled(rows.values_list("node"))


def _close(node: Node, judge: int) -> bool:
    """Return False if the node is alive after all, another was quicker, or the judge is not
    fresh."""
    is_fresh = Node.objects.alive().filter(pk=judge).exists()
    if not (is_fresh and Node.objects.dead().filter(pk=node.pk).close()):
        return False
    change.note_node(node.name)
    return True


def _check(in_time: Callable[[], bool]) -> None:
    change.write_now()
    if not in_time():
        raise Late
