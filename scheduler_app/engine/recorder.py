"""Records starts and outcomes of runs: one thread, one transaction for all that has gathered.

While one commit is under way the next batch gathers; nobody waits for a timer. Nothing is recorded
of a run that is no longer this node's: whoever gave it up has recorded its outcome already."""

import logging
import threading
from concurrent.futures import Future
from datetime import datetime

from django.db import InterfaceError, OperationalError
from django.utils import timezone

from scheduler_app.engine import ledger
from scheduler_app.models import JobRun, RunState, database

logger = logging.getLogger(__name__)

BATCH = 500
OUTCOME = ("state", "started_at", "finished_at", "message", "traceback", "metadata")


class Recorder:
    """Start it before the first run; stop it after the last."""

    def __init__(self) -> None:
        self._starts: list[tuple[JobRun, Future[bool]]] = []
        self._ends: list[JobRun] = []
        self._changed = threading.Condition()
        self._busy = False
        self._stopping = False
        self._thread = threading.Thread(target=self._loop, name="scheduler-recorder", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float) -> bool:
        """Record what has gathered. False if that took longer than `timeout` seconds."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def begin(self, run: JobRun) -> bool:
        """Record that the run starts now, and wait until that is committed. False: the run is no
        longer this node's to start."""
        begun: Future[bool] = Future()
        with self._changed:
            self._starts.append((run, begun))
            self._changed.notify_all()
        return begun.result()

    def end(self, run: JobRun) -> None:
        """Record the outcome that the run's fields tell. Returns at once."""
        with self._changed:
            self._ends.append(run)
            self._changed.notify_all()

    def flush(self, timeout: float) -> bool:
        """Wait until all that was given so far is committed; False after `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(
                lambda: not (self._starts or self._ends or self._busy), timeout
            )

    def _loop(self) -> None:
        while self._wait_for_work():
            starts, ends = self._take()
            self._record_until_it_holds(starts, ends)
            with self._changed:
                self._busy = False
                self._changed.notify_all()
        database.connection().close()

    def _wait_for_work(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._starts or self._ends or self._stopping)
            self._busy = bool(self._starts or self._ends)
            return self._busy

    def _take(self) -> tuple[list[tuple[JobRun, "Future[bool]"]], list[JobRun]]:
        with self._changed:
            starts, self._starts = self._starts[:BATCH], self._starts[BATCH:]
            ends, self._ends = self._ends[:BATCH], self._ends[BATCH:]
        return starts, ends

    def _record_until_it_holds(
        self, starts: list[tuple[JobRun, "Future[bool]"]], ends: list[JobRun]
    ) -> None:
        """An outcome must never be lost: keep trying for as long as the database is away."""
        delay = 0.05
        while True:
            try:
                begun = record([run for run, _ in starts], ends)
                break
            except (OperationalError, InterfaceError) as error:
                logger.warning("cannot record runs, will try again: %s", error)
            except Exception:
                logger.exception("cannot record an outcome as it is; recording it without details")
                for run in ends:
                    run.message, run.traceback, run.metadata = UNRECORDABLE, "", {}
            database.connection().close()
            threading.Event().wait(delay)
            delay = min(delay * 2, 1.0)
        for run, future in starts:
            future.set_result(run.pk in begun)


UNRECORDABLE = "The details of this outcome could not be stored; the scheduler's log has them."


def record(starts: list[JobRun], ends: list[JobRun]) -> set[int]:
    """Commit these starts and outcomes in one transaction; returns the ids of the runs that may
    start. Calling it again after a commit of unknown outcome changes nothing."""
    with database.atomic():
        held = _held([*starts, *ends])
        begun = {run.pk for run in starts if held.get(run.pk) == run.node_id}
        if begun:
            _mark_running(begun, timezone.now())
        ended = [run for run in ends if held.get(run.pk) == run.node_id]
        if ended:
            JobRun.objects.bulk_create(
                ended, update_conflicts=True, unique_fields=["id"], update_fields=OUTCOME
            )
            ledger.count(ended)
    for run in ends:
        if run.pk not in held:
            logger.warning("outcome %s of run %d comes too late", run.state, run.pk)
    return begun


def _held(runs: list[JobRun]) -> dict[int, int | None]:
    """Lock those of these runs that have not ended; which node has each."""
    rows = JobRun.objects.active().filter(pk__in=[run.pk for run in runs])
    return dict(rows.select_for_update().values_list("pk", "node_id"))


def _mark_running(ids: set[int], now: datetime) -> None:
    JobRun.objects.queued().filter(pk__in=ids).update(state=RunState.RUNNING, started_at=now)
