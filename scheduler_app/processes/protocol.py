"""What the processes say to each other: messages, which are JSON objects, one a line, over a
socket; and orders, with which a scheduler asks its supervisor for one worker each."""

import json
import math
import os
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
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
        """Yield the messages that have come, without waiting for more."""
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
        self.hang_up()  # even if another process holds a copy of this end
        self.socket.close()

    def _complete(self, data: bytes) -> list[Message]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        messages = []
        for line in lines:
            with suppress(ValueError):  # a line that a signal handler has cut in two
                messages.append(json.loads(line))
        return messages


_ORDER = struct.Struct("d")


@dataclass(frozen=True, slots=True)
class Order:
    """A request for a worker that has `timeout` seconds. Its supervisor reports on `control`, and
    kills it when that is closed; the worker itself gets `data`, and a pipe for its `output`."""

    timeout: float
    control: socket.socket
    data: socket.socket
    output: int


def send_order(
    requests: socket.socket,
    timeout: float | None,
    control: socket.socket,
    data: socket.socket,
    output: int,
) -> None:
    """Ask for a worker; without a `timeout`, for one that may take for ever."""
    message = _ORDER.pack(math.inf if timeout is None else timeout)
    socket.send_fds(requests, [message], [control.fileno(), data.fileno(), output])


def receive_order(requests: socket.socket) -> Order | None:
    """Wait for the next request; None once there can be no more."""
    try:
        message, descriptors, _, _ = socket.recv_fds(requests, _ORDER.size, 3)
    except ConnectionError:
        return None
    if not message:
        return None
    (timeout,) = _ORDER.unpack(message)
    control, data, output = descriptors
    return Order(timeout, socket.socket(fileno=control), socket.socket(fileno=data), output)


def refuse_orders(requests: socket.socket, reason: str) -> None:
    """Answer the first request, and those that wait behind it, that it cannot be done. Then
    take no more: what came would be lost with this process."""
    while order := receive_order(requests):
        requests.shutdown(socket.SHUT_RD)
        order.data.close()
        os.close(order.output)
        refuse_order(order.control, reason)


def beat(requests: socket.socket) -> None:
    """Let the scheduler know that its supervisor is at work."""
    with suppress(OSError):  # it need not listen
        requests.send(b".", socket.MSG_DONTWAIT)


def has_beaten(requests: socket.socket) -> bool:
    """Return whether the supervisor has been at work since the last call."""
    try:
        return bool(os.read(requests.fileno(), SLICE))  # recv() would wait for the timeout
    except OSError:
        return False


def is_given_up(control: socket.socket) -> bool:
    """Return whether the request has been given up meanwhile."""
    try:
        return not control.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False


def refuse_order(control: socket.socket, error: str) -> None:
    channel = Channel(control)
    channel.send({"error": error})
    channel.close()
