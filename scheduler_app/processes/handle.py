"""A worker process as the one who asked for it sees it."""

import os
import selectors
import signal
import time
from contextlib import suppress
from dataclasses import dataclass

from scheduler_app.processes.protocol import Channel, Message

START_LIMIT = 60.0
"""How long, in seconds, a supervisor may take to start a worker, its own imports included."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a worker process ended."""

    exit_code: int = 0
    """As subprocess has it: below zero, the signal that killed it."""
    timed_out: bool = False
    """Whether it was killed because its time was up."""
    error: str = ""
    """Why there was no worker process, or why nothing is known of its end."""

    def __str__(self) -> str:
        if self.error:
            return self.error
        if self.exit_code >= 0:
            return f"exited with code {self.exit_code}"
        number = -self.exit_code
        with suppress(ValueError):  # a real-time signal has no name
            return f"killed by signal {number} ({signal.Signals(number).name})"
        return f"killed by signal {number}"


class Worker:
    """Once `ending` is set, nothing is left of the process or of what it has started."""

    def __init__(self, control: Channel, data: Channel) -> None:
        self.ending: Ending | None = None
        self._control = control
        self._data = data
        self._pid = 0
        self._start_by = time.monotonic() + START_LIMIT
        self._selector = selectors.PollSelector()
        self._selector.register(control, selectors.EVENT_READ)
        self._selector.register(data, selectors.EVENT_READ)

    @property
    def started(self) -> bool:
        return self._pid > 0

    def send(self, message: Message) -> None:
        self._data.send(message)

    def receive(self, patience: float) -> list[Message]:
        """What the worker sends within `patience` seconds: as soon as there is something."""
        messages: list[Message] = []
        for key, _ in self._selector.select(patience):
            if key.fileobj is self._control:
                self._follow()
            elif (received := self._data.receive()) is None:
                self._selector.unregister(self._data)
            else:
                messages += received
        if not self.started and time.monotonic() >= self._start_by:
            self.ending = Ending(error=f"no answer within {START_LIMIT:g} s")
        return messages if self.ending is None else [*messages, *self._data.drain()]

    def kill(self) -> None:
        """Have it killed with all it has started; wait for `ending` to know that it is gone."""
        self._control.hang_up()

    def close(self) -> None:
        self._selector.close()
        self._control.close()
        self._data.close()

    def _follow(self) -> None:
        messages = self._control.receive()
        if messages is None:
            self._supervisor_died()
            return
        for message in messages:
            if "pid" in message:
                self._pid = message["pid"]
            else:
                self.ending = Ending(**message)

    def _supervisor_died(self) -> None:
        if self._pid:
            with suppress(OSError):
                os.killpg(self._pid, signal.SIGKILL)
        self.ending = Ending(error="the process that starts and guards workers has died")
