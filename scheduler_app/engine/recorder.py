"""Records starts and outcomes of runs: one thread, one transaction for all that has gathered.

While one commit is under way the next batch gathers; nobody waits for a timer. Nothing is recorded
of a run that is no longer this node's: whoever gave it up has recorded its outcome already."""

import threading
from collections.abc import Callable, Iterable, Sequence

from django.db import InterfaceError, InternalError, OperationalError

from scheduler_app.ledger import transitions
from scheduler_app.logs import SafeLogger
from scheduler_app.models import JobRun, clock, database

logger = SafeLogger(__name__)

BATCH = 500
UNRECORDABLE = "The details of this outcome could not be stored; the scheduler's log has them."

Begun = Callable[[Sequence[JobRun], set[int]], None]


class Recorder:
    """Start it before the first run; stop it after the last.

    `committed` is called, in the recorder's thread, after every commit: with the starts that were
    asked for, and the ids of those that may begin. The others are no longer this node's."""

    def __init__(self, committed: Begun) -> None:
        self._committed = committed
        self._starts: list[JobRun] = []
        self._ends: list[JobRun] = []
        self._changed = threading.Condition()
        self._busy = False
        self._stopping = False
        self.error: BaseException | None = None
        """Why it cannot record at the moment; None if it can."""
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

    def flush(self, timeout: float) -> bool:
        """Wait until all that was given so far is committed; False after `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(
                lambda: not (self._starts or self._ends or self._busy), timeout
            )

    def _loop(self) -> None:
        database.serve_engine()
        while self._wait_for_work():
            starts, ends = self._take()
            begun = self._record_until_it_holds(starts, ends)
            self._committed(starts, begun)
            database.forget_queries()
            with self._changed:
                self._busy = False
                self._changed.notify_all()
        database.connection().close()

    def _wait_for_work(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._starts or self._ends or self._stopping)
            self._busy = bool(self._starts or self._ends)
            return self._busy

    def _take(self) -> tuple[list[JobRun], list[JobRun]]:
        with self._changed:
            starts, self._starts = self._starts[:BATCH], self._starts[BATCH:]
            ends, self._ends = self._ends[:BATCH], self._ends[BATCH:]
        return starts, ends

    def _record_until_it_holds(self, starts: list[JobRun], ends: list[JobRun]) -> set[int]:
        """An outcome must never be lost: keep trying for as long as the database is away."""
        delay = 0.05
        while True:
            try:
                begun = record(starts, ends)
                self.error = None
                return begun
            except (OperationalError, InterfaceError, InternalError) as error:
                self.error = error
                logger.warning("cannot record runs, will try again: %s", error)
            except Exception as error:
                self.error = error
                logger.exception("cannot record an outcome as it is; recording it without details")
                for run in ends:
                    run.message, run.traceback, run.metadata, run.log = UNRECORDABLE, "", {}, ""
            database.connection().close()
            threading.Event().wait(delay)
            delay = min(delay * 2, 1.0)


def record(starts: Sequence[JobRun], ends: Sequence[JobRun]) -> set[int]:
    """Commit these starts and outcomes in one transaction; returns the ids of the runs that may
    start.

    Calling it again after a commit of unknown outcome changes nothing but the moment of a start:
    no function has been called by then."""
    now = clock.now()
    with database.atomic():
        begun, late = transitions.record(starts, ends, now)
    for run in late:
        logger.warning(
            "discarding outcome %s of run %d: the run is already closed", run.state, run.pk
        )
    return begun
