"""Work in processes of its own, which can be killed: the side that asks for it.

Neither a fork of this process (gRPC and other threads do not survive it) nor multiprocessing: a
launcher of our own, started as a fresh interpreter, starts the workers and guards them."""

import os
import socket
import subprocess
import threading
from contextlib import ExitStack, suppress

from scheduler_app.executors import interpreter, launcher, orders
from scheduler_app.executors.channel import Channel
from scheduler_app.executors.worker import Worker

PATIENCE = 10.0
"""How long, in seconds, a launcher may take to accept a request, or to end."""


class Processes:
    """Starts worker processes, each of which calls `serve` (a dotted path) with its channel to
    here. They see settings, environment and import path as they are here at the launcher's start;
    settings made by settings.configure() they cannot see.

    The launcher is started with the first worker or by start(), and again if it has died."""

    def __init__(self, serve: str) -> None:
        self._serve = serve
        self._lock = threading.Lock()
        self._launcher: subprocess.Popen[bytes] | None = None
        self._requests: socket.socket | None = None
        self._closed = False

    def start(self) -> None:
        """Have the launcher import everything now. Raises OSError if there can be none."""
        with self._lock:
            self._open_requests()

    def launch(self, timeout: float | None) -> Worker:
        """Start a worker, to be killed after `timeout` seconds. Raises OSError if that cannot be
        asked for; whether it has started the worker itself tells."""
        with ExitStack() as ends:
            control, far_control = map(ends.enter_context, socket.socketpair())
            data, far_data = map(ends.enter_context, socket.socketpair())
            self._request(timeout, far_control, far_data)
            far_control.close()
            far_data.close()
            ends.pop_all()
        return Worker(Channel(control), Channel(data))

    def close(self) -> None:
        """Kill all workers that are left, and wait until they are gone. No more are started."""
        with self._lock:
            self._closed = True
            self._end_launcher()

    def _request(self, timeout: float | None, control: socket.socket, data: socket.socket) -> None:
        with self._lock:
            try:
                orders.send(self._open_requests(), timeout, control, data)
            except ConnectionError:  # it has died just now
                self._end_launcher()
                orders.send(self._open_requests(), timeout, control, data)

    def _open_requests(self) -> socket.socket:
        """The socket that a living launcher listens on; the lock is held."""
        if self._closed:
            raise OSError("the scheduler has stopped")
        if self._launcher is not None and self._launcher.poll() is not None:
            self._end_launcher()
        return self._requests or self._start_launcher()

    def _start_launcher(self) -> socket.socket:
        here, there = socket.socketpair()
        here.settimeout(PATIENCE)
        arguments = interpreter.command(launcher.__name__, self._serve, there.fileno(), os.getpid())
        try:
            self._launcher = subprocess.Popen(  # noqa: S603
                arguments,
                stdin=subprocess.DEVNULL,
                pass_fds=[there.fileno()],
                start_new_session=True,  # Ctrl-C is for this process alone
            )
        except OSError:
            here.close()
            raise
        finally:
            there.close()
        self._requests = here
        return here

    def _end_launcher(self) -> None:
        if self._requests is not None:
            with suppress(OSError):
                self._requests.shutdown(socket.SHUT_RDWR)
            self._requests.close()
        if self._launcher is not None:
            try:
                self._launcher.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self._launcher.kill()
                self._launcher.wait()
        self._requests = self._launcher = None
