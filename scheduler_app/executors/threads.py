"""Runs in threads of the scheduler process."""

import threading
from collections.abc import Sequence
from queue import SimpleQueue

from scheduler_app.executors.base import Executor, Task


class ThreadExecutor(Executor):
    """At most `size` tasks at a time. The threads are daemons: a task that does not end when it
    is asked to cannot keep the process from exiting."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size
        self._tasks: SimpleQueue[Task | None] = SimpleQueue()
        self._threads = 0
        self._unended = 0
        self._all_ended = threading.Condition()

    def hand_over(self, tasks: Sequence[Task]) -> None:
        with self._all_ended:
            self._unended += len(tasks)
            while self._threads < min(self._unended, self._size):
                self._threads += 1
                name = f"scheduler-run-{self._threads}"
                threading.Thread(target=self._work, name=name, daemon=True).start()
        for task in tasks:
            self._tasks.put(task)

    def wait(self, timeout: float) -> bool:
        with self._all_ended:
            return self._all_ended.wait_for(lambda: self._unended == 0, timeout)

    def close(self) -> None:
        with self._all_ended:
            for _ in range(self._threads):
                self._tasks.put(None)
            self._threads = 0

    def _work(self) -> None:
        while task := self._tasks.get():
            task()
            with self._all_ended:
                self._unended -= 1
                if not self._unended:
                    self._all_ended.notify_all()
