"""What a scheduler asks of its launcher: one worker each, by its time limit and two sockets."""

import math
import socket
import struct

from scheduler_app.executors.channel import Channel

_FORM = struct.Struct("d")


def send(
    requests: socket.socket, timeout: float | None, control: socket.socket, data: socket.socket
) -> None:
    """Ask for a worker that has `timeout` seconds. Its launcher reports on `control`, and kills
    it when that is closed; the worker itself gets `data`."""
    message = _FORM.pack(math.inf if timeout is None else timeout)
    socket.send_fds(requests, [message], [control.fileno(), data.fileno()])


def receive(requests: socket.socket) -> tuple[float, socket.socket, socket.socket] | None:
    """Wait for the next request; None once there can be no more."""
    try:
        message, descriptors, _, _ = socket.recv_fds(requests, _FORM.size, 2)
    except ConnectionError:
        return None
    if not message:
        return None
    control, data = (socket.socket(fileno=descriptor) for descriptor in descriptors)
    return *_FORM.unpack(message), control, data


def refuse(requests: socket.socket, reason: str) -> None:
    """Answer the first request, and those that wait behind it, that it cannot be done. Then
    take no more: what came would be lost with this process."""
    while request := receive(requests):
        requests.shutdown(socket.SHUT_RD)
        _, control, data = request
        data.close()
        answer(control, reason)


def is_given_up(control: socket.socket) -> bool:
    """Whether the request has been given up meanwhile."""
    try:
        return not control.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False


def answer(control: socket.socket, error: str) -> None:
    channel = Channel(control)
    channel.send({"error": error})
    channel.close()
