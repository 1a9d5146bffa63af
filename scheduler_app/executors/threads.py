"""Runs in threads of the scheduler process."""

import threading
from collections import deque

from scheduler_app.executors.base import Executor, Task


class ThreadExecutor(Executor):
    """At most `size` tasks at a time. The threads are daemons: a task that does not end when it
    is asked to cannot keep the process from exiting."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size
        self._tasks: deque[Task] = deque()
        self._threads = 0
        self._idle = 0
        self._closed = False
        state = threading.Lock()
        self._has_task = threading.Condition(state)
        self._has_ended = threading.Condition(state)

    def hand_over(self, task: Task) -> None:
        with self._has_task:
            if self._closed:
                return
            self._tasks.append(task)
            if self._idle >= len(self._tasks):
                self._has_task.notify()
            elif self._threads < self._size:
                self._add_thread()

    def close(self) -> None:
        with self._has_task:
            self._closed = True
            self._tasks.clear()
            self._has_task.notify_all()

    def wait(self, timeout: float) -> bool:
        with self._has_ended:
            return self._has_ended.wait_for(lambda: self._threads == 0, timeout)

    def _add_thread(self) -> None:
        self._threads += 1
        name = f"scheduler-run-{self._threads}"
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def _work(self) -> None:
        while task := self._next():
            task()
        with self._has_ended:
            self._threads -= 1
            self._has_ended.notify_all()

    def _next(self) -> Task | None:
        """The next task; None once the executor is closed."""
        with self._has_task:
            self._idle += 1
            self._has_task.wait_for(lambda: self._tasks or self._closed)
            self._idle -= 1
            return self._tasks.popleft() if self._tasks else None
