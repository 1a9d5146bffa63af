"""Carries runs out in worker processes: the scheduler's side."""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from scheduler_app.execution import process_main
from scheduler_app.execution.capture import Sink
from scheduler_app.execution.describe import describe
from scheduler_app.execution.runner import Outcome
from scheduler_app.execution.setup import load
from scheduler_app.logs import SafeLogger
from scheduler_app.metadata import storable_metadata, storable_progress
from scheduler_app.models import RunState
from scheduler_app.processes.handle import SUPERVISOR_DIED, Worker
from scheduler_app.processes.pool import Processes
from scheduler_app.processes.protocol import Message
from scheduler_app.registry import JobContext, JobDefinition

logger = SafeLogger(__name__)

POLL = 0.1
"""How often, in seconds, to look whether the run has been cancelled."""
EXIT_GRACE = 5.0
"""How long, in seconds, a process may take to exit after its run has ended."""
SUPERVISOR_GRACE = 2.0
"""How long, in seconds, a supervisor may take to kill a run whose time is up."""
STARTS = 3
"""How often a run is given to a supervisor, if it dies or is replaced before it starts the run."""
LOST = "Lost: its scheduler stopped, and it did not end in time."


def _path(function: Callable[..., object]) -> str:
    return f"{function.__module__}.{function.__qualname__}"


class Isolation:
    """Worker processes for one scheduler. When it stops: spare(), ask the runs to end, wait for
    them, close()."""

    def __init__(self) -> None:
        self._processes = Processes(_path(process_main.serve), prepare=_path(load))
        self._spared = threading.Event()
        self._closed = False

    def start(self) -> None:
        """Prepare, so that the first run need not wait for imports. Raises OSError."""
        self._processes.start()

    def spare(self) -> None:
        """Let a cancelled run take until close(), from now on."""
        self._spared.set()

    def close(self) -> None:
        """Kill the runs that are left; their outcome is LOST. Returns once they are gone."""
        self._closed = True
        self._processes.close()

    def execute(
        self,
        definition: JobDefinition,
        context: JobContext,
        log: Sink,
        *,
        timeout: float | None,
        cancel_grace: float,
    ) -> Outcome:
        """Carry the run out in a process of its own, as the declaration of its name there says.
        Blocks until nothing is left of it. Never raises.

        It is killed `timeout` seconds after its start, and `cancel_grace` seconds after it has
        been told to end. What it has logged and reported until then is in `context` and `log`; of
        values and progress that it reports in quick succession, those of the last 0.1 s may be
        missing."""
        for _ in range(STARTS):
            try:
                process = self._processes.launch(timeout)
            except OSError as error:
                return self._not_started(str(error))
            watch = _Watch(
                process, context, log, timeout, cancel_grace, self._spared, self._processes.watch
            )
            outcome = self._follow(watch, definition)
            if process.started or not _has_lost_its_supervisor(process) or self._closed:
                break
        return outcome

    def _follow(self, watch: "_Watch", definition: JobDefinition) -> Outcome:
        process, context = watch.process, watch.context
        try:
            process.send(process_main.request(context))
            watch.follow()
            return watch.outcome or self._killed(watch)
        except Exception as error:
            logger.exception("run %d of %s was not followed", context.run_id, definition.name)
            return Outcome(
                RunState.FAILED, f"Its worker process was not followed: {describe(error)}"
            )
        finally:
            process.close()

    def _killed(self, watch: "_Watch") -> Outcome:
        """Return the outcome of a run that has reported none."""
        ending = watch.process.ending
        metadata = storable_metadata(watch.context.reported)
        if watch.is_overdue or (ending is not None and ending.timed_out):
            text = f"Timed out after {watch.timeout:.10g} s."
            return Outcome(RunState.FAILED, text, metadata=metadata)
        if self._closed:
            return Outcome(RunState.LOST, LOST, metadata=metadata)
        if watch.killed:
            text = f"Killed: it did not end within {watch.cancel_grace:.10g} s."
            return Outcome(RunState.CANCELLED, text, metadata=metadata)
        if not watch.process.started:
            return self._not_started(str(ending))
        text = f"Its worker process died: {ending}"
        return Outcome(RunState.FAILED, text, metadata=metadata)

    def _not_started(self, reason: str) -> Outcome:
        if self._closed:
            return Outcome(RunState.LOST, LOST)
        return Outcome(RunState.FAILED, f"Its worker process could not be started: {reason}")


def _has_lost_its_supervisor(process: Worker) -> bool:
    return process.ending is not None and process.ending.error == SUPERVISOR_DIED


@dataclass(slots=True)
class _Watch:
    """Follows one run until its process is gone."""

    process: Worker
    context: JobContext
    log: Sink
    timeout: float | None
    cancel_grace: float
    spared: threading.Event
    watch_supervisor: Callable[[], None]
    is_overdue: bool = False
    """Whether it was killed from here, because its supervisor has not killed it in time."""
    outcome: Outcome | None = None
    killed: bool = False
    """Whether it was killed because it did not end when it was told to."""
    _told: bool = False
    _cancelled_at: float = field(default=math.inf)
    _ended_at: float = field(default=math.inf)
    _started_at: float = field(default=math.inf)

    def follow(self) -> None:
        while self.process.ending is None:
            self.watch_supervisor()
            self._enforce_timeout()
            for message in self.process.receive(POLL):
                self._take(message)
            if self.context.cancel_event.is_set():
                self._cancel()
            if time.monotonic() >= self._ended_at + EXIT_GRACE:
                self.process.kill()

    def _enforce_timeout(self) -> None:
        """Kill a run whose time is up. Its supervisor does so, unless it is stopped or hangs."""
        if self.timeout is None or not self.process.started or self.is_overdue:
            return
        now = time.monotonic()
        self._started_at = min(self._started_at, now)
        if now >= self._started_at + self.timeout + SUPERVISOR_GRACE:
            self.is_overdue = self.outcome is None
            self.process.kill_here()

    def _take(self, message: Message) -> None:
        match message:
            case {"log": text}:
                self.log.write(text)
            case {"reported": values}:
                self.context.reported.update(values)
            case {"progress": values}:
                self.context.last_progress = storable_progress(*values)
            case {"cancel_seen": _}:
                self.context.cancel_seen = True
            case {"outcome": values}:
                self.outcome = process_main.outcome(values)
                self._ended_at = time.monotonic()

    def _cancel(self) -> None:
        now = time.monotonic()
        if not self._told:
            self._told = True
            self.process.send({"cancel": self.context.cancel_reason})
        if self.spared.is_set() and not self.context.is_abandoned:
            return
        self._cancelled_at = min(self._cancelled_at, now)
        grace = 0.0 if self.context.is_abandoned else self.cancel_grace
        if now >= self._cancelled_at + grace and not self.killed:
            self.killed = True
            self.process.kill()
