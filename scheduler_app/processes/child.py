"""A worker process as its supervisor sees it."""

import math
import os
import signal
import time

from scheduler_app.processes import linux
from scheduler_app.processes.protocol import Channel

GIVE_UP = 5.0
"""How long, in seconds, a killed group may outlive its worker. One that takes longer has processes
that some other process must reap."""


class Child:
    """From its start until nothing is left of its process group."""

    def __init__(self, pid: int, control: Channel, deadline: float) -> None:
        self.pid = pid
        self.control = control
        self.is_gone = False
        self._deadline = deadline
        self._exit_code: int | None = None
        self._timed_out = False
        self._give_up_at = math.inf

    @property
    def has_ended(self) -> bool:
        return self._exit_code is not None

    def kill(self) -> None:
        """Kill it with all that it has started, wherever that has gone."""
        if not self.has_ended:
            linux.kill_tree(self.pid)
        self._kill_group()

    def ended(self, exit_code: int) -> None:
        """Note that the worker has been reaped; what it has started may still live."""
        self._exit_code = exit_code
        self._give_up_at = time.monotonic() + GIVE_UP

    def guard(self, has_strays: bool) -> None:
        """Kill it once its time is up, and its group once it has ended. It is gone when no process
        of an ended worker is left."""
        now = time.monotonic()
        if self._exit_code is not None:
            is_left = self._kill_group() or has_strays
            self.is_gone = not is_left or now >= self._give_up_at
        elif now >= self._deadline:
            self._timed_out = True
            self._deadline = math.inf
            self.kill()

    def next_look(self, hurry: float) -> float:
        """Return the latest moment of the next guard()."""
        return self._deadline if self._exit_code is None else time.monotonic() + hurry

    def report(self) -> None:
        self.control.send({"exit_code": self._exit_code, "timed_out": self._timed_out})
        self.control.close()

    def _kill_group(self) -> bool:
        """Kill the group. Return False if there is none any more."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return False
        return True
