"""Messages between two processes: JSON objects, one a line, over a socket."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

Message = dict[str, Any]

SLICE = 65_536
DRAIN = 64
"""How many slices are taken of what has come: more than a socket's buffer holds."""


class Channel:
    """One end. Any thread may send; one receives."""

    def __init__(self, end: socket.socket) -> None:
        self.socket = end
        self._rest = b""
        self._lock = threading.RLock()  # a signal handler may send in the midst of a send

    def fileno(self) -> int:
        return self.socket.fileno()

    def send(self, message: Message) -> None:
        """Send, waiting for room if need be. To an end that is closed nothing is sent."""
        line = json.dumps(message).encode() + b"\n"
        with self._lock, suppress(OSError):
            self.socket.sendall(line)

    def receive(self) -> list[Message] | None:
        """Wait for something to come; the messages that are now complete. None: the other end is
        closed."""
        try:
            data = self.socket.recv(SLICE)
        except ConnectionError:
            return None
        return self._complete(data) if data else None

    def drain(self) -> Iterator[Message]:
        """The messages that have come, without waiting for more."""
        with suppress(OSError):
            for _ in range(DRAIN):
                if not (data := self.socket.recv(SLICE, socket.MSG_DONTWAIT)):
                    break
                yield from self._complete(data)

    def hang_up(self) -> None:
        """Have the other end see a closed channel; what it sends can still be received."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.hang_up()  # whoever else may hold a copy of this end
        self.socket.close()

    def _complete(self, data: bytes) -> list[Message]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        messages = []
        for line in lines:
            with suppress(ValueError):  # a line that a signal handler has cut in two
                messages.append(json.loads(line))
        return messages
