"""Records starts and outcomes of runs: one thread, one transaction for all that has gathered.

While one commit is under way the next batch gathers; nobody waits for a timer. Nothing is recorded
of a run that is no longer this node's: whoever gave it up has recorded its outcome already."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, TypeAlias

from django.db import DatabaseError, InterfaceError, InternalError, OperationalError

from scheduler_app.conf import scheduler_settings
from scheduler_app.engine.connections import WatchedConnection
from scheduler_app.ledger import counters, transitions
from scheduler_app.logs import SafeLogger
from scheduler_app.models import JobRun, clock, database, locks

logger = SafeLogger(__name__)

BATCH = 500
RETRY_LOCKED = 0.25
"""Seconds between two looks at runs whose rows others have locked."""
PAUSE = 0.25
"""Seconds after an error that should not be."""
FOLD_EVERY, FOLD_NEXT = 5.0, 0.1
"""Seconds between two folds of the counters: as a rule, and when the last one left something."""
UNRECORDABLE = "The details of this outcome could not be stored; the scheduler's log has them."
DETAILS: dict[str, Any] = {
    "message": UNRECORDABLE,
    "traceback": "",
    "log": "",
    "metadata": {},
    "progress": None,
}
"""What is recorded of an outcome in place of what cannot be."""

Item: TypeAlias = tuple[JobRun, bool]
"""A run, and whether it has ended; else it starts."""
Committed = Callable[[Sequence[JobRun], set[int], Sequence[JobRun]], None]


class Recorder:
    """Start it before the first run; stop it after the last.

    `committed` is called, in the recorder's thread, after every commit: with the starts that were
    asked for, the ids of those that may begin (the others are no longer this node's), and the runs
    that have ended. Runs whose rows others have locked stay here, and delay no other run."""

    def __init__(self, committed: Committed) -> None:
        self._committed = committed
        self._starts: list[JobRun] = []
        self._ends: list[JobRun] = []
        self._committing: tuple[list[JobRun], list[JobRun]] = ([], [])
        """The starts and the outcomes that have been taken, and of which it is not known that they
        are committed."""
        self._locked_starts: list[JobRun] = []
        self._locked_ends: list[JobRun] = []
        self._refused = set[int]()
        """Runs that the database refuses to change."""
        self._retry_at = 0.0
        self._fold_at = 0.0
        self._changed = threading.Condition()
        self._busy = False
        self._stopping = False
        self.error: BaseException | None = None
        """Why it cannot record at the moment; None if it can."""
        self.holder = ""
        """Who holds the lock that it waits for, if it does and that is known."""
        self.connection = WatchedConnection(scheduler_settings().stuck_after / 2)
        self.thread = threading.Thread(target=self._loop, name="scheduler-recorder", daemon=True)

    def start(self) -> None:
        self.thread.start()

    def stop(self, timeout: float) -> bool:
        """Record what has gathered. False if that took longer than `timeout` seconds."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self.thread.join(timeout)
        return not self.thread.is_alive()

    def submit(self, starts: Iterable[JobRun], ends: Iterable[JobRun] = ()) -> None:
        """Record that these runs start now, and the outcomes that those runs' fields tell. Returns
        at once."""
        with self._changed:
            self._starts.extend(starts)
            self._ends.extend(ends)
            self._changed.notify_all()

    def withdraw_starts(self) -> None:
        """Forget the starts that are not being committed yet."""
        with self._changed:
            self._starts.clear()
            self._locked_starts.clear()

    @property
    def unrecorded(self) -> frozenset[int]:
        """The ids of the runs whose start or outcome is still to be committed."""
        with self._changed:
            waiting = (self._starts, self._ends, *self._committing)
            locked = (self._locked_starts, self._locked_ends)
            return frozenset(run.pk for run in chain(*waiting, *locked))

    def flush(self, timeout: float) -> bool:
        """Wait until all that was given so far is committed; False after `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not (self._has_work or self._busy), timeout)

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to record but what waits for a lock of another transaction."""
        with self._changed:
            return not (self._has_fresh or self._busy)

    @property
    def _has_work(self) -> bool:
        return self._has_fresh or bool(self._locked_starts or self._locked_ends)

    @property
    def _has_fresh(self) -> bool:
        return bool(self._starts or self._ends)

    def _loop(self) -> None:
        database.serve_engine()
        while True:
            try:
                if not self._wait():
                    break
                with self.connection:
                    self._work()
            except BaseException as error:  # nothing may end this thread, and lose an outcome
                self._take_back(error)
        database.close_connection()
        self.connection.close()

    def _work(self) -> None:
        self._record(*self._take())
        if time.monotonic() >= self._retry_at:
            with database.lock_timeout(locks.IMPATIENT):
                self._record(*self._take_locked())
            self._retry_at = time.monotonic() + RETRY_LOCKED
        if time.monotonic() >= self._fold_at:
            self._fold()
        database.forget_queries()

    def _take_back(self, error: BaseException) -> None:
        """Have what was being committed be committed anew, in a moment."""
        with self._changed:
            starts, ends = self._committing
            self._starts, self._ends = [*starts, *self._starts], [*ends, *self._ends]
            self._committing, self._busy = ([], []), False
        self.error, self.holder = error, ""
        logger.error("the recorder failed, will try again: %s", error, exc_info=error)
        database.close_connection()
        time.sleep(PAUSE)

    def _wait(self) -> bool:
        """Wait until there is something to do. False: the recorder is to stop, and nothing is
        left."""
        with self._changed:
            until = self._fold_at
            if self._locked_starts or self._locked_ends:
                until = min(until, self._retry_at)
            self._changed.wait_for(
                lambda: self._has_fresh or self._stopping, max(0.0, until - time.monotonic())
            )
            return self._has_work or not self._stopping

    def _take(self) -> tuple[list[JobRun], list[JobRun]]:
        with self._changed:
            starts, self._starts = self._starts[:BATCH], self._starts[BATCH:]
            ends, self._ends = self._ends[:BATCH], self._ends[BATCH:]
            self._committing = starts, ends
            self._busy = bool(starts or ends)
        return starts, ends

    def _take_locked(self) -> tuple[list[JobRun], list[JobRun]]:
        with self._changed:
            starts, self._locked_starts = self._locked_starts, []
            ends, self._locked_ends = self._locked_ends, []
            self._committing = starts, ends
            self._busy = bool(starts or ends)
        return starts, ends

    def _record(self, starts: list[JobRun], ends: list[JobRun]) -> None:
        if not (starts or ends):
            return
        begun, locked = self._record_until_it_holds(starts, ends)
        with self._changed:
            self._locked_starts += [run for run in starts if run.pk in locked]
            self._locked_ends += [run for run in ends if run.pk in locked]
            self._committing = ([], [])
        self._committed(
            [run for run in starts if run.pk not in locked],
            begun,
            [run for run in ends if run.pk not in locked],
        )
        with self._changed:
            self._busy = False
            self._changed.notify_all()

    def _record_until_it_holds(
        self, starts: list[JobRun], ends: list[JobRun]
    ) -> tuple[set[int], set[int]]:
        """An outcome must never be lost: keep trying for as long as the database is away."""
        delay = 0.05
        while True:
            try:
                return self._record_around(starts, ends)
            except (OperationalError, InterfaceError, InternalError) as error:
                self.error, self.holder = error, locks.holder(error)
                logger.warning("cannot record runs, will try again: %s", error)
            except Exception as error:
                self.error, self.holder = error, ""
                logger.exception("cannot record an outcome as it is; recording it without details")
                for run in ends:
                    _leave_out_details(run)
            database.close_connection()
            time.sleep(delay)
            delay = min(delay * 2, 1.0)

    def _record_around(
        self, starts: Sequence[JobRun], ends: Sequence[JobRun]
    ) -> tuple[set[int], set[int]]:
        """Commit these starts and outcomes, but for those that wait for others' locks and those
        that the database refuses: return the ids of the runs that may start, and of those left
        out. An outcome that is refused as it is, is recorded without its details."""
        begun, left_out = set[int](), set[int]()
        refusals = dict[Item, DatabaseError]()

        def work(items: Sequence[Item]) -> None:
            recorded = record(
                [run for run, has_ended in items if not has_ended],
                [run for run, has_ended in items if has_ended],
            )
            begun.update(recorded.begun)
            left_out.update(recorded.locked)

        items = [*((run, False) for run in starts), *((run, True) for run in ends)]
        left = locks.around(items, work, refusals.__setitem__)
        for item in [item for item in left if item in refusals and item[0].pk not in self._refused]:
            if item[1] and _record_without_details(item[0], refusals[item], work):
                left.remove(item)
            else:
                text = "the database refuses what is to be recorded of run %d of %s: %s"
                logger.error(text, item[0].pk, item[0].job_name, refusals[item])
        if len(left) < len(items):
            self.error = None
        elif refusals:  # as far as is known, the database takes nothing
            self.error, self.holder = next(iter(refusals.values())), ""
        left_out.update(run.pk for run, _ in left)
        self._refused.difference_update(run.pk for run, _ in items)
        self._refused.update(run.pk for run, has_ended in left if (run, has_ended) in refusals)
        return begun, left_out

    def _fold(self) -> None:
        """Bring the jobs' counters up to date; what is not folded now is read all the same."""
        more = False
        try:
            more = counters.fold()
        except Exception as error:
            logger.warning("cannot fold the counters, will try again: %s", error)
            database.close_connection()
        self._fold_at = time.monotonic() + (FOLD_NEXT if more else FOLD_EVERY)


def _record_without_details(
    run: JobRun, error: DatabaseError, work: Callable[[Sequence[Item]], None]
) -> bool:
    """Try to have `work` record the outcome of this run, which is refused as it is, without its
    details. Return False, and leave them as they were, if that is refused, too."""
    details = {name: getattr(run, name) for name in DETAILS}
    _leave_out_details(run)
    if locks.around([(run, True)], work):
        vars(run).update(details)
        return False
    text = "recorded the outcome of run %d without its details, which the database refuses: %s"
    logger.error(text, run.pk, error)
    return True


def _leave_out_details(run: JobRun) -> None:
    vars(run).update(DETAILS)


def record(starts: Sequence[JobRun], ends: Sequence[JobRun]) -> transitions.Recorded:
    """Commit these starts and outcomes in one transaction.

    Calling it again after a commit of unknown outcome changes nothing but the moment of a start:
    no function has been called by then."""
    now = clock.now()
    with database.atomic():
        recorded = transitions.record(starts, ends, now)
    for run in recorded.late:
        logger.warning(
            "discarding outcome %s of run %d: the run is already closed", run.state, run.pk
        )
    return recorded
