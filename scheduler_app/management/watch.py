"""The life of a scheduler process, watched from its main thread."""

import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType

from scheduler_app.conf import SchedulerSettings
from scheduler_app.engine.scheduler import Scheduler
from scheduler_app.engine.vitals import Problem
from scheduler_app.logs import SafeLogger
from scheduler_app.management.ending import SIGNALS, ExitCode, end_process_now
from scheduler_app.processes.guard import Guard
from scheduler_app.processes.systemd import notify

logger = SafeLogger(__name__)

MARGIN = 15.0
"""How long, in seconds, a stop may take beyond the shutdown timeout: to record, and to end."""
OUTSIDE_MARGIN = 10.0
"""How many seconds later the warden ends a process that does not end itself."""
START_GRACE = 3.0
"""How long, in seconds, a start that is under way may take to end at a signal."""
LONGEST_START = 60.0
"""How long, in seconds, a start may take at least."""
GLANCE = 0.5
"""Seconds between two looks."""
HUNG = 6
"""A liveness thread that has not looked for so many heartbeats hangs."""

IGNORED = (signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF, signal.SIGXCPU, signal.SIGIO)
"""Signals that a job can have the system send to the whole process, by a timer or a limit of
processor time, and that would end it. A handler of the project's own stays."""

Work = Callable[[threading.Event, Callable[[], None]], bool]


class Watch:
    """Has `work` done in a thread, and ends the process if that does not end when it should.

    `work` is given the event that tells it to stop, and a function to call once the scheduler
    works. The main thread does nothing else, so that it can always answer a signal."""

    def __init__(self, scheduler: Scheduler, guard: Guard, settings: SchedulerSettings) -> None:
        self._scheduler = scheduler
        self._guard = guard
        self._settings = settings
        self._stop = threading.Event()
        self._done = threading.Event()
        self._error: BaseException | None = None
        self._result = False
        self._signals = 0
        self._ignored = 0
        """The number of the last signal that was ignored and has not been reported."""
        self._has_started = False
        self._start_is_known = False
        """Whether the warden has been told of the start: it may be frozen, and its pipe full."""
        self._longest_start = max(settings.stuck_after, LONGEST_START)
        self._stop_at = 0.0
        self._stuck_for = 0.0
        self.code = ExitCode.STOPPED

    def follow_signals(self) -> None:
        """Stop at SIGTERM, SIGINT and SIGHUP; exit immediately at the second. Ignore what a
        job may have the system send."""
        for number in SIGNALS:
            signal.signal(number, self._take_signal)
        for number in IGNORED:
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, self._ignore)
        self._guard.follow_signals()

    def run(self, work: Work) -> bool:
        """Return what the work returns, once it has ended; raise what it raised."""
        self._guard.send({"start_within": self._longest_start + OUTSIDE_MARGIN})
        began = last = time.monotonic()
        threading.Thread(target=self._do, args=(work,), name="scheduler", daemon=True).start()
        while not self._done.wait(GLANCE):
            now = time.monotonic()
            self._report_ignored()
            gap, last = min(now - last, 2 * GLANCE), now  # frozen time does not count
            if self._stop.is_set():
                self._end_if_late(now)
            elif not self._has_started:
                if now - began > self._longest_start:
                    self._give_up("it could not start", ExitCode.NOT_STARTED)
            else:
                self._check(gap)
        if self._error:
            raise self._error
        return self._result

    def _do(self, work: Work) -> None:
        try:
            self._result = work(self._stop, self._started)
        except BaseException as error:
            self._error = error
        finally:
            self._done.set()

    def _started(self) -> None:
        self._has_started = True
        notify(f"READY=1\nMAINPID={os.getpid()}")

    def _take_signal(self, number: int, _: FrameType | None) -> None:
        self._signals += 1
        if self._signals > 1:
            os._exit(128 + number)
        self._request_stop()

    def _ignore(self, number: int, _: FrameType | None) -> None:
        self._ignored = number  # a handler of a signal must not log

    def _report_ignored(self) -> None:
        number, self._ignored = self._ignored, 0
        if number:
            name = signal.Signals(number).name
            text = "ignored %s: a job may have set a timer or a limit for the whole process"
            logger.warning(text, name)

    def _request_stop(self) -> None:
        self._stop_at = time.monotonic()
        self._stop.set()
        notify("STOPPING=1")

    def _end_if_late(self, now: float) -> None:
        limit = self._settings.shutdown_timeout + MARGIN if self._has_started else START_GRACE
        if now - self._stop_at > limit:
            self._give_up("it did not end in time", self.code or ExitCode.CUT_OFF)

    def _give_up(self, why: str, code: ExitCode) -> None:
        logger.error("the scheduler's process is ended: %s", why)
        end_process_now(code)

    def _check(self, gap: float) -> None:
        """Stop a scheduler that cannot work any more; tell systemd that any other is fine."""
        if not self._start_is_known:
            self._start_is_known = self._guard.send({"start_within": None})
        problem = self._problem
        is_final = problem is not None and problem.is_final
        self._stuck_for = self._stuck_for + gap if self._wants_restart(problem) else 0.0
        if is_final or self._stuck_for >= self._settings.stuck_after:
            why = problem.text if problem else "its liveness thread hangs"
            logger.critical("this scheduler cannot work any more, and ends: %s", why)
            self.code = ExitCode.STUCK
            self._guard.send({"end_within": self.longest_stop})
            self._request_stop()
        elif not self._hangs:
            notify("WATCHDOG=1")

    @property
    def _problem(self) -> Problem | None:
        """What the liveness thread saw last; it cannot see its own end."""
        liveness = self._scheduler.liveness
        return liveness.problem if liveness.thread.is_alive() else self._scheduler.problem

    def _wants_restart(self, problem: Problem | None) -> bool:
        """Return whether a restart would help. It mends neither a database that does not answer nor
        a lock that another client holds, and would lose the running runs."""
        if self._hangs:
            return True
        answers = self._scheduler.liveness.database_answers
        return problem is not None and answers and not problem.is_blocked

    @property
    def _hangs(self) -> bool:
        silence = time.monotonic() - self._scheduler.liveness.looked_at
        return silence > HUNG * self._settings.heartbeat

    @property
    def longest_stop(self) -> float:
        """How long, in seconds, a stop takes at most, before the warden ends it."""
        return longest_stop(self._settings)


def longest_stop(settings: SchedulerSettings) -> float:
    """Return how long, in seconds, a stop takes at most, before the warden ends it."""
    return settings.shutdown_timeout + MARGIN + OUTSIDE_MARGIN
