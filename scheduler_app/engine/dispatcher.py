"""From the claim to the outcome: hands claimed runs to the executor and knows which are in hand."""

import logging
import threading
from collections.abc import Iterable
from functools import partial

from scheduler_app.engine.recorder import Recorder
from scheduler_app.engine.runner import carry_out
from scheduler_app.executors import Executor
from scheduler_app.models import JobRun
from scheduler_app.registry import JobContext, Registry

logger = logging.getLogger(__name__)


class Dispatcher:
    """Every run handed over is recorded as begun before its function is called, and its outcome
    after; a run that is no longer this node's is not begun."""

    def __init__(self, registry: Registry, executor: Executor) -> None:
        self._registry = registry
        self._executor = executor
        self._recorder = Recorder()
        self._cancel = threading.Event()
        self._in_hand: set[int] = set()

    def start(self) -> None:
        self._recorder.start()

    @property
    def in_hand(self) -> frozenset[int]:
        """The ids of the runs handed over and not ended."""
        return frozenset(self._in_hand.copy())

    def hand_over(self, runs: Iterable[JobRun]) -> None:
        for run in runs:
            self._in_hand.add(run.pk)
            self._executor.hand_over(partial(self._carry_out, run))

    def cancel_all(self) -> None:
        """Tell every run that it should end early."""
        self._cancel.set()

    def drain(self, timeout: float) -> bool:
        """After the executor is closed: wait until what has begun has ended and is recorded.
        False if something is left after `timeout` seconds."""
        return self._executor.wait(timeout) and self._recorder.flush(timeout)

    def stop(self, timeout: float) -> bool:
        """Record what has ended. False if `timeout` seconds were not enough."""
        return self._recorder.stop(timeout)

    def _carry_out(self, run: JobRun) -> None:
        try:
            self._carry_out_if_ours(run)
        except Exception:
            logger.exception("run %d of %s was not carried out", run.pk, run.job_name)
        finally:
            self._in_hand.discard(run.pk)

    def _carry_out_if_ours(self, run: JobRun) -> None:
        definition = self._registry.get(run.job_name)
        if definition is None or not self._recorder.begin(run):
            return
        context = JobContext(
            job_name=run.job_name,
            run_id=run.pk,
            scheduled_for=run.scheduled_for,
            attempt=run.attempt,
            cancel_event=self._cancel,
        )
        carry_out(run, definition, context)
        self._recorder.end(run)
