"""Keeps the rollups up to date, in a thread of its own: no tick, heartbeat or record waits for it,
and a scheduler works without it."""

import threading

from scheduler_app.engine.connections import WatchedConnection
from scheduler_app.ledger import rollups
from scheduler_app.logs import SafeLogger
from scheduler_app.models import clock, database

logger = SafeLogger(__name__)

FOLD_EVERY, RECOUNT_PAUSE, LONGEST_PAUSE = 5.0, 0.2, 300.0
"""Seconds between two folds; between two that count again, so that others may write; and at most
after failures."""
PRUNE_EVERY = 720
"""One in so many folds that have nothing left to count again deletes what is too old."""


class RollupKeeper:
    """Of one scheduler. Of several, whichever comes first folds."""

    def __init__(self, limit: float) -> None:
        """`limit`: after how many seconds without an answer the connection is made anew."""
        self.connection = WatchedConnection(limit)
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._failures = 0
        self._folds = 0

    def ensure_running(self) -> None:
        """Start the thread, unless it runs. A system that has none to give is asked again at the
        next call."""
        if self._stopped.is_set() or (self._thread and self._thread.is_alive()):
            return
        thread = threading.Thread(target=self._loop, name="scheduler-rollups", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            logger.warning("cannot start the thread that keeps the rollups: %s", error)
            return
        self._thread = thread

    def stop(self, timeout: float) -> bool:
        """Fold no more. Return False if it did not end within `timeout` seconds: what it has not
        committed is undone."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(timeout)
        return self._thread is None or not self._thread.is_alive()

    def _loop(self) -> None:
        pause = RECOUNT_PAUSE
        while not self._stopped.wait(pause):
            pause = self._step()
        database.close_connection()
        self.connection.close()

    def _step(self) -> float:
        """Work once; return the seconds until the next time. Never raises."""
        try:
            database.serve_engine()
            with self.connection:
                is_left = rollups.work() or self._prune()
            database.forget_queries()
        except BaseException as error:
            self._failures += 1
            if self._failures & (self._failures - 1) == 0:
                logger.warning("rollups: failed %d times in a row: %s", self._failures, error)
            database.close_connection()
            return min(FOLD_EVERY * 2.0 ** min(self._failures, 10), LONGEST_PAUSE)
        self._failures = 0
        return RECOUNT_PAUSE if is_left else FOLD_EVERY

    def _prune(self) -> bool:
        is_left = self._folds % PRUNE_EVERY == 0 and rollups.prune(clock.now())
        self._folds += not is_left
        return is_left
