"""A worker process as its scheduler sees it."""

import codecs
import os
import selectors
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from scheduler_app.processes import linux
from scheduler_app.processes.protocol import DRAIN, SLICE, Channel, Message

START_LIMIT = 60.0
"""How long, in seconds, a supervisor may take to start a worker, its own imports included."""
SUPERVISOR_DIED = "the process that starts and guards workers has died"


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


class Output:
    """The end of the pipe that a worker and its programs write to."""

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def fileno(self) -> int:
        return self._descriptor

    def read(self) -> str | None:
        """Return what has been written, at most a slice of it; None if there can be no more."""
        try:
            data = os.read(self._descriptor, SLICE)
        except BlockingIOError:
            return ""
        return self._decoder.decode(data) if data else None

    def drain(self) -> Iterator[Message]:
        """Return what is left, without waiting for more."""
        for _ in range(DRAIN):
            if not (text := self.read()):
                break
            yield {"log": text}
        if rest := self._decoder.decode(b"", True):
            yield {"log": rest}

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class Worker:
    """Once `ending` is set, nothing is left of the process or of what it has started."""

    def __init__(self, control: Channel, data: Channel, output: int) -> None:
        self.ending: Ending | None = None
        self._control = control
        self._data = data
        self._output = Output(output)
        self._pid = 0
        self._start_by = time.monotonic() + START_LIMIT
        self._selector = selectors.PollSelector()
        self._selector.register(control, selectors.EVENT_READ)
        self._selector.register(data, selectors.EVENT_READ)
        self._selector.register(self._output, selectors.EVENT_READ)

    @property
    def started(self) -> bool:
        return self._pid > 0

    def send(self, message: Message) -> None:
        self._data.send(message)

    def receive(self, patience: float) -> list[Message]:
        """Return what the worker sends within `patience` seconds, as soon as there is something.
        What it and its programs write is {"log": text}."""
        messages: list[Message] = []
        for key, _ in self._selector.select(patience):
            if key.fileobj is self._control:
                self._follow()
            elif key.fileobj is self._output:
                messages += self._read_output()
            elif (received := self._data.receive()) is None:
                self._selector.unregister(self._data)
            else:
                messages += received
        if not self.started and time.monotonic() >= self._start_by:
            self.ending = Ending(error=f"no answer within {START_LIMIT:g} s")
        if self.ending is not None:
            messages += [*self._data.drain(), *self._output.drain()]
        return messages

    def kill_here(self) -> None:
        """Kill it without its supervisor, which does not answer."""
        if self.started:
            linux.kill_tree(self._pid)

    def kill(self) -> None:
        """Have it killed with all it has started; wait for `ending` to know that it is gone."""
        self._control.hang_up()

    def close(self) -> None:
        self._selector.close()
        self._control.close()
        self._data.close()
        self._output.close()

    def _read_output(self) -> list[Message]:
        text = self._output.read()
        if text is None:
            self._selector.unregister(self._output)
            return []
        return [{"log": text}]

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
        self.ending = Ending(error=SUPERVISOR_DIED)
