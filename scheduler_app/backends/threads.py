"""Runs in threads of the scheduler process."""

import threading
from collections import deque
from collections.abc import Sequence

from scheduler_app.backends.base import Executor, Task


class ThreadExecutor(Executor):
    """At most `size` tasks at a time. The threads are daemons: a task that does not end when it
    is asked to cannot keep the process from exiting.

    Threads are woken one by one: each that takes a task and leaves others wakes the next. So many
    quick tasks are done by few threads, and one that takes its time holds nobody up."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._tasks: deque[Task] = deque()
        self._threads = 0
        self._idle = 0
        self._unended = 0
        self._is_waking = False
        self._closed = False
        lock = threading.Lock()
        self._has_task = threading.Condition(lock)
        self._all_ended = threading.Condition(lock)
        self._all_begun = threading.Condition(lock)

    def hand_over(self, tasks: Sequence[Task]) -> None:
        with self._has_task:
            self._tasks.extend(tasks)
            self._unended += len(tasks)
            self._wake_one()

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
        if not self._tasks or self._is_waking:
            return
        if self._idle:
            self._is_waking = True
            self._has_task.notify()
        elif self._threads < self._size:
            self._is_waking = True
            self._threads += 1
            name = f"scheduler-run-{self._threads}"
            threading.Thread(target=self._work, name=name, daemon=True).start()

    def _work(self) -> None:
        with self._has_task:
            self._is_waking = False
        while task := self._next():
            task()
            with self._all_ended:
                self._unended -= 1
                if not self._unended:
                    self._all_ended.notify_all()
        with self._has_task:
            self._threads -= 1

    def _next(self) -> Task | None:
        """The next task; None once the executor is closed and nothing is left."""
        with self._has_task:
            while not self._tasks:
                if self._closed:
                    return None
                self._idle += 1
                self._has_task.wait()
                self._idle -= 1
                self._is_waking = False
            task = self._tasks.popleft()
            if not self._tasks:
                self._all_begun.notify_all()
            self._wake_one()
            return task
