"""Runs in threads of the scheduler process."""

import threading
import time
from collections import deque
from collections.abc import Sequence

from scheduler_app.backends.base import Executor, Task
from scheduler_app.execution.thread_state import ThreadState
from scheduler_app.logs import SafeLogger

logger = SafeLogger(__name__)

SUSPICIOUS = 0.5
"""How long, in seconds, a task may wait before the threads are checked for dead ones."""


class ThreadExecutor(Executor):
    """At most `size` tasks at a time. The threads are daemons: a task that does not end when it is
    asked to cannot keep the process from exiting.

    Threads are woken one by one: each that takes a task and leaves others wakes the next. So few
    threads do many quick tasks, and a slow one delays no other. A thread in which a task has left
    something ends, and a new one takes its place.

    When the system has no room for another thread, the tasks wait for one that becomes free, and
    each call of hand_over(), even with no task, tries again."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._tasks: deque[Task] = deque()
        self._threads: set[threading.Thread] = set()
        self._started = 0
        self._idle = 0
        self._unended = 0
        self._is_waking = False
        self._closed = False
        self._could_start_since = 0.0
        self._start_error: Exception | None = None
        self._is_start_error_logged = True
        lock = threading.Lock()
        self._has_task = threading.Condition(lock)
        self._all_ended = threading.Condition(lock)
        self._all_begun = threading.Condition(lock)

    @property
    def threads(self) -> int:
        """How many threads there are."""
        return len(self._threads)

    @property
    def stalled_since(self) -> float | None:
        """Since when (time.monotonic()) tasks have waited although fewer than `size` are active;
        None if none waits so. No longer than milliseconds ago in an executor that works."""
        with self._has_task:
            active = self._unended - len(self._tasks)
            return self._could_start_since if self._tasks and active < self._size else None

    @property
    def start_error(self) -> Exception | None:
        """Why the last thread could not be started; None if it could."""
        return self._start_error

    def hand_over(self, tasks: Sequence[Task]) -> None:
        with self._has_task:
            if tasks and not self._tasks:
                self._could_start_since = time.monotonic()
            self._tasks.extend(tasks)
            self._unended += len(tasks)
            self._wake_one()
        self._log_start_error()

    def wait_until_begun(self, timeout: float) -> bool:
        with self._all_begun:
            return self._all_begun.wait_for(lambda: not self._tasks, timeout)

    def wait(self, timeout: float) -> bool:
        with self._all_ended:
            return self._all_ended.wait_for(lambda: self._unended == 0, timeout)

    def close(self) -> None:
        with self._has_task:
            self._closed = True
            self._has_task.notify_all()

    def _wake_one(self) -> None:
        """Have one more thread look for a task, if there is one; the lock is held."""
        if self._tasks and time.monotonic() >= self._could_start_since + SUSPICIOUS:
            self._forget_dead_threads()
        if not self._tasks or self._is_waking:
            return
        if self._idle:
            self._is_waking = True
            self._has_task.notify()
        elif len(self._threads) < self._size:
            self._start_thread()

    def _forget_dead_threads(self) -> None:
        """Forget threads that ended before their first step: memory was short, or a hook for new
        threads raised."""
        dead = {thread for thread in self._threads if not thread.is_alive()}
        if dead:
            self._threads -= dead
            self._is_waking = False

    def _start_thread(self) -> None:
        name = f"scheduler-run-{self._started + 1}"
        thread = threading.Thread(target=self._work, name=name, daemon=True)
        try:
            thread.start()
        except (RuntimeError, MemoryError) as error:
            self._start_error, self._is_start_error_logged = error, False
            return
        self._start_error = None
        self._is_waking = True
        self._threads.add(thread)
        self._started += 1

    def _log_start_error(self) -> None:
        """Log why no thread could be started: without the lock, for a handler may take long."""
        error = self._start_error
        if error is not None and not self._is_start_error_logged:
            self._is_start_error_logged = True
            logger.error("cannot start a thread for a run, will try again: %s", error)

    def _work(self) -> None:
        state = ThreadState()
        with self._has_task:
            self._is_waking = False
        try:
            while task := self._next():
                self._perform(task)
                if not state.is_fit():
                    break
        finally:  # also when other code raises an exception in this thread
            with self._has_task:
                self._threads.discard(threading.current_thread())
                self._wake_one()
            self._log_start_error()

    def _perform(self, task: Task) -> None:
        try:
            task()
        except BaseException as error:  # a task does not raise; other code may raise in this thread
            logger.error("a task of the scheduler raised", exc_info=error)
        finally:
            with self._all_ended:
                if self._unended - len(self._tasks) == self._size:
                    self._could_start_since = time.monotonic()
                self._unended -= 1
                if not self._unended:
                    self._all_ended.notify_all()

    def _next(self) -> Task | None:
        """Return the next task; None once the executor is closed and nothing is left."""
        with self._has_task:
            while not self._tasks:
                if self._closed:
                    return None
                self._wait()
            task = self._tasks.popleft()
            self._could_start_since = time.monotonic()
            if not self._tasks:
                self._all_begun.notify_all()
            self._wake_one()
            return task

    def _wait(self) -> None:
        self._idle += 1
        try:
            self._has_task.wait()
        finally:
            self._idle -= 1
            self._is_waking = False
