"""From the claim to the outcome: hands claimed runs to the executor and knows which are in hand."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain

from scheduler_app.backends import Executor
from scheduler_app.backends.process import Isolation
from scheduler_app.conf import scheduler_settings
from scheduler_app.engine.capacity import Capacity, Pace
from scheduler_app.engine.recorder import Recorder
from scheduler_app.engine.telling import Speaking
from scheduler_app.engine.vitals import Vitals
from scheduler_app.execution.bounded_log import RunLog
from scheduler_app.execution.capture import capture
from scheduler_app.execution.process_state import ProcessState
from scheduler_app.execution.runner import Outcome, carry_out, execute, failure
from scheduler_app.ledger import counters
from scheduler_app.logs import SafeLogger
from scheduler_app.models import JobRun, RunState, database
from scheduler_app.policies import DEFAULTS, Policies
from scheduler_app.registry import JobContext, JobDefinition, Registry
from scheduler_app.text import storable

logger = SafeLogger(__name__)
failures = SafeLogger("scheduler_app.runs")

LINGER = 0.005
"""How long, in seconds, the recorder may wait for threads to take up what it has just handed over.
Quick runs end at once; so their outcomes and the next starts share one commit, not two."""
OVERLOAD = 5_000
"""With fewer runs in hand a node is not overloaded, however long they take."""


@dataclass(slots=True)
class Turn:
    """Whose turn it is among the runs in hand of a job that may not overlap."""

    run_id: int
    behind: deque[JobRun] = field(default_factory=deque)
    """The runs that begin one by one after it."""


class Dispatcher:
    """Every run handed over is recorded as begun before its function is called, and its outcome
    after; a run that is no longer this node's is not begun.

    `progressed` is called, in another thread, whenever outcomes have been recorded, unless more
    runs of those jobs are in hand."""

    def __init__(
        self,
        registry: Registry,
        executor: Executor,
        isolation: Isolation,
        vitals: Vitals,
        progressed: Callable[[], None] = lambda: None,
    ) -> None:
        self._registry = registry
        self._executor = executor
        self._isolation = isolation
        self._settings = scheduler_settings()
        self._size = self._settings.max_concurrent_runs
        self._vitals = vitals
        self._progressed = progressed
        self._recorder = Recorder(self._committed)
        self.connection = self._recorder.connection
        """The recorder's, for others to observe."""
        self._capacity = Capacity(self._size)
        self._pace = Pace(self._function_of)
        self._lock = threading.Lock()
        self._pending: deque[JobRun] = deque()
        self._running: dict[int, JobContext] = {}
        self._speaking: dict[int, Speaking] = {}
        """What those say whose functions are called now."""
        self._unaccounted: dict[int, JobRun] = {}
        """The first attempts among them that account_for_runs() has not recorded yet."""
        self._isolated = set[int]()
        """Those of the running runs that have processes of their own."""
        self._turns: dict[str, Turn] = {}
        """Of the jobs that may not overlap, and of which a run is in hand."""
        self._closed = False
        self._pauses = False
        """Whether a run has failed of a job that is paused after failures."""

    def start(self) -> None:
        self._process_state = ProcessState()
        self._recorder.start()
        self._vitals.threads.append(self._recorder.thread)
        self._vitals.records.thread = self._recorder.thread

    def report_progress(self) -> None:
        """Note which parts have nothing to do, and why others do not get on."""
        now = self._vitals.monotonic()
        if self._recorder.error:
            self._vitals.records.failed(self._recorder.error, self._recorder.holder)
        elif self._recorder.is_idle:
            self._vitals.records.progressed(now)
        if self._executor.stalled_since is None:
            self._vitals.starts.progressed(now)
        elif self._executor.start_error:
            self._vitals.starts.failed(self._executor.start_error)

    def in_threads(self) -> list[str]:
        """Return the runs that threads of this process carry out, as "run 5 of nightly"."""
        with self._lock:
            contexts = [self._running[pk] for pk in self._running.keys() - self._isolated]
        return [f"run {context.run_id} of {context.job_name}" for context in contexts]

    @property
    def active(self) -> frozenset[int]:
        """The ids of the runs handed over and not ended."""
        with self._lock:
            return frozenset([*(run.pk for run in self._waiting()), *self._running])

    @property
    def held(self) -> frozenset[int]:
        """The ids of the runs that this process carries out, or whose outcome it still records."""
        return self.active | self._recorder.unrecorded

    @property
    def speaking(self) -> list[Speaking]:
        """What the runs say whose functions are called now."""
        return list(self._speaking.copy().values())

    def has_failed(self) -> bool:
        """Return whether, since the last call, a run has failed of a job that is paused after
        failures."""
        found, self._pauses = self._pauses, False
        return found

    def account_for_runs(self) -> None:
        """Record that the occurrences of the running runs are accounted for. Raises what the
        database raises."""
        with self._lock:
            runs = list(self._unaccounted.values())
        if not runs:
            return
        with database.atomic():
            counters.account_for(runs)
        with self._lock:
            for run in runs:
                self._unaccounted.pop(run.pk, None)

    @property
    def free_slots(self) -> int:
        """How many more runs can be started soon."""
        return self._capacity.free_slots(self._load())

    @property
    def is_overloaded(self) -> bool:
        """Whether it has thousands of runs in hand, and more than it has carried out lately: to
        claim more would only take time from them."""
        return self._load() >= OVERLOAD and not self.free_slots

    @property
    def should_poll(self) -> bool:
        """Whether it is time to look for more runs."""
        return self._capacity.should_poll(self._load())

    def hand_over(self, runs: Iterable[JobRun]) -> None:
        """A run that is in hand already is not taken a second time: another node had taken it over,
        and this one has taken it back before either began it."""
        runs = list(runs)
        with self._lock:
            if runs and not self._closed:
                active = self._running.keys() | {run.pk for run in self._waiting()}
                self._pending.extend(run for run in runs if run.pk not in active)
            starts = self._next_starts()
        if starts:
            self._recorder.submit(starts)
        self._executor.hand_over([])  # there may have been no room for a thread

    def cancel(self, reasons: Mapping[int, str]) -> None:
        """Tell those of these runs that are going that they should end early: `{id: why}`."""
        with self._lock:
            contexts = [
                (self._running[pk], why) for pk, why in reasons.items() if pk in self._running
            ]
        for context, why in contexts:
            context.cancel_reason = why
            context.cancel_event.set()

    def stop_all(self) -> None:
        """Begin nothing more, and tell every run that it should end early."""
        with self._lock:
            self._closed = True
            self._pending.clear()
            self._turns.clear()
            contexts = list(self._running.values())
        self._recorder.withdraw_starts()
        for context in contexts:
            context.cancel_event.set()

    def abandon_all(self) -> None:
        """This node was taken for dead: whatever goes here has been given up, and should end."""
        with self._lock:
            self._pending.clear()
            self._turns.clear()
            contexts = list(self._running.values())
        for context in contexts:
            context.is_abandoned = True
            context.cancel_event.set()

    def drain(self, timeout: float) -> bool:
        """After stop_all(): wait until what has begun has ended and is recorded. False if something
        is left after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        return (
            self._recorder.flush(timeout)
            and self._executor.wait(max(0.0, deadline - time.monotonic()))
            and self._recorder.flush(max(0.0, deadline - time.monotonic()))
        )

    def stop(self, timeout: float) -> bool:
        """Record what has ended. False if `timeout` seconds were not enough."""
        self._process_state.close()
        return self._recorder.stop(timeout)

    def _next_starts(self) -> list[JobRun]:
        """What may begin now; the lock is held."""
        starts = []
        while self._pending and not self._closed and self._has_room_for(self._pending[0]):
            run = self._pending.popleft()
            policies = self._policies(run)
            if not (run.may_overlap or policies.may_overlap):
                turn = self._turns.setdefault(run.job_name, Turn(run.pk))
                if turn.run_id != run.pk:
                    turn.behind.append(run)
                    continue
            if policies.needs_process:
                self._isolated.add(run.pk)
            self._running[run.pk] = JobContext(
                job_name=run.job_name,
                run_id=run.pk,
                scheduled_for=run.scheduled_for,
                attempt=run.attempt,
                arguments=run.arguments or {},
            )
            if counters.is_first_attempt(run):
                self._unaccounted[run.pk] = run
            self._pace.began(run.pk, run.job_name)
            starts.append(run)
        return starts

    def _has_room_for(self, run: JobRun) -> bool:
        if len(self._running) < self._size:
            return True
        others = len(self._running) - self._pace.quick_runs
        return others < self._size and self._pace.has_room_for(run.job_name)

    def _waiting(self) -> Iterable[JobRun]:
        """The runs that were handed over and may not begin yet; the lock is held."""
        return chain(self._pending, *(turn.behind for turn in self._turns.values()))

    def _function_of(self, name: str) -> int:
        """What jobs with the same function have in common."""
        definition = self._registry.get(name)
        return id(definition.function if definition else None)

    def _load(self) -> int:
        """How many runs are in hand."""
        with self._lock:
            behind = sum(len(turn.behind) for turn in self._turns.values())
            return len(self._pending) + behind + len(self._running)

    def _policies(self, run: JobRun) -> Policies:
        """Return those in force: what people have set, or what the code says."""
        if run.policies is not None:
            return run.policies
        definition = self._registry.get(run.job_name)
        return DEFAULTS if definition is None else definition.policies

    def _has_turn(self, run: JobRun) -> bool:
        turn = self._turns.get(run.job_name)
        return turn is not None and turn.run_id == run.pk

    def _committed(
        self, starts: Sequence[JobRun], begun: set[int], ended: Sequence[JobRun]
    ) -> None:
        if starts or ended:
            self._vitals.records.progressed(self._vitals.monotonic())
        now = time.monotonic()
        tasks = [partial(self._carry_out, run, now) for run in starts if run.pk in begun]
        self._executor.hand_over(tasks)
        self._executor.wait_until_begun(LINGER)
        if len(tasks) < len(starts):
            self._ended([run for run in starts if run.pk not in begun], [])
        with self._lock:
            has_progressed = any(run.job_name not in self._turns for run in ended)
        if has_progressed:
            self._progressed()

    def _carry_out(self, run: JobRun, begun_at: float) -> None:
        """Carry the run out, and have its outcome recorded unless others have recorded one. What
        cannot be carried out has failed: a run never stays without an outcome."""
        context = self._running[run.pk]
        outcomes = [run]
        definition = self._registry.get(run.job_name)
        try:
            if definition is None:
                text = "The scheduler's code declares no such job."
                carry_out(run, context, lambda: Outcome(RunState.FAILED, text))
            elif self._is_abandoned(run, begun_at):
                outcomes = []
            else:
                self._call(run, definition, context)
        except BaseException as error:
            why = failure(error, context)
            carry_out(run, context, lambda: why)
        try:
            if outcomes and run.state == RunState.FAILED:
                self._log_failure(run, context.error)
                self._pauses |= bool(self._policies(run).pause_on_failure)
            context.error = None  # it refers to the frames of the job
            self._ended([run], outcomes)
        except BaseException:  # raised in this thread by other code, whenever it pleases
            self._ended([run], outcomes)

    def _log_failure(self, run: JobRun, error: BaseException | None) -> None:
        """Log that the run failed, for the project's own handlers (mail, Sentry): as an error if it
        is not retried, or else as a warning."""
        is_last = run.attempt > self._policies(run).retries
        text, told = "run %d of %s failed: %s", [run.pk, run.job_name, run.message]
        if error is None and run.traceback:  # it was raised in another process
            text, told = f"{text}\n%s", [*told, run.traceback]
        level = logging.ERROR if is_last else logging.WARNING
        extra = {"job": run.job_name, "run": run.pk}
        failures.log(level, text, *told, exc_info=error, extra=extra)

    def _call(self, run: JobRun, definition: JobDefinition, context: JobContext) -> None:
        log = RunLog(self._settings.log_limit)
        policies = self._policies(run)
        self._speaking[run.pk] = Speaking(run, context, log, time.monotonic())
        try:
            if policies.needs_process:
                limit = policies.timeout
                carry_out(
                    run, context, lambda: self._call_isolated(definition, context, log, limit)
                )
            else:
                self._call_here(run, definition, context, log)
        finally:
            self._speaking.pop(run.pk, None)
        run.log = storable(log.close(), self._settings.log_limit)

    def _call_here(
        self, run: JobRun, definition: JobDefinition, context: JobContext, log: RunLog
    ) -> None:
        self._process_state.enter(context)
        try:
            with capture(log):
                carry_out(run, context, lambda: execute(definition, context))
        finally:
            changed = self._process_state.leave(context)
        if changed:
            text = "put back after run %d of %s: %s"
            logger.warning(text, run.pk, run.job_name, ", ".join(changed))

    def _call_isolated(
        self, definition: JobDefinition, context: JobContext, log: RunLog, timeout: float | None
    ) -> Outcome:
        return self._isolation.execute(
            definition,
            context,
            log,
            timeout=timeout,
            cancel_grace=self._settings.cancel_grace,
        )

    def _is_abandoned(self, run: JobRun, begun_at: float) -> bool:
        """Whether others have recorded the run as lost, because this process stood still between
        recording its start and now."""
        if time.monotonic() - begun_at < self._settings.heartbeat:
            return False
        try:
            return not JobRun.objects.running().filter(pk=run.pk, node=run.node_id).exists()
        finally:
            database.close_connection()

    def _ended(self, runs: Sequence[JobRun], outcomes: Sequence[JobRun]) -> None:
        """Give these runs' slots to the next, and have the outcomes recorded."""
        with self._lock:
            for run in runs:
                self._unaccounted.pop(run.pk, None)
                self._isolated.discard(run.pk)
                if self._running.pop(run.pk, None):
                    self._capacity.ended += 1
                    self._pace.ended(run.pk, run.job_name, run.duration if outcomes else None)
                    if self._has_turn(run):
                        behind = self._turns.pop(run.job_name).behind
                        self._pending.extendleft(reversed(behind))
            starts = self._next_starts()
        self._recorder.submit(starts, outcomes)
