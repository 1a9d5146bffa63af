"""Work in processes of its own, which can be killed: the side that asks for it.

Neither a fork of this process (gRPC and other threads do not survive it) nor multiprocessing: a
supervisor of our own, started as a fresh interpreter, starts the workers and guards them."""

import os
import socket
import subprocess
import threading
from contextlib import ExitStack, suppress

from scheduler_app.processes import protocol, spawn, supervisor
from scheduler_app.processes.handle import Worker
from scheduler_app.processes.protocol import Channel

PATIENCE = 10.0
"""How long, in seconds, a supervisor may take to accept a request, or to end."""


class Processes:
    """Starts worker processes, each of which calls `serve` (a dotted path) with its channel to
    here, after `prepare` (another) has been called where they are started. They see settings,
    environment and import path as they are here at the supervisor's start; settings made by
    settings.configure() they cannot see.

    The supervisor is started with the first worker or by start(), and again if it has died."""

    def __init__(self, serve: str, prepare: str) -> None:
        self._prepare = prepare
        self._serve = serve
        self._lock = threading.Lock()
        self._supervisor: subprocess.Popen[bytes] | None = None
        self._requests: socket.socket | None = None
        self._closed = False

    def start(self) -> None:
        """Have the supervisor import everything now. Raises OSError if there can be none."""
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
            self._end_supervisor()

    def _request(self, timeout: float | None, control: socket.socket, data: socket.socket) -> None:
        with self._lock:
            try:
                protocol.send_order(self._open_requests(), timeout, control, data)
            except ConnectionError:  # it has died just now
                self._end_supervisor()
                protocol.send_order(self._open_requests(), timeout, control, data)

    def _open_requests(self) -> socket.socket:
        """The socket that a living supervisor listens on; the lock is held."""
        if self._closed:
            raise OSError("the scheduler has stopped")
        if self._supervisor is not None and self._supervisor.poll() is not None:
            self._end_supervisor()
        return self._requests or self._start_supervisor()

    def _start_supervisor(self) -> socket.socket:
        here, there = socket.socketpair()
        here.settimeout(PATIENCE)
        arguments = spawn.interpreter(
            supervisor.__name__, self._prepare, self._serve, there.fileno(), os.getpid()
        )
        try:
            self._supervisor = subprocess.Popen(  # noqa: S603
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

    def _end_supervisor(self) -> None:
        if self._requests is not None:
            with suppress(OSError):
                self._requests.shutdown(socket.SHUT_RDWR)
            self._requests.close()
        if self._supervisor is not None:
            try:
                self._supervisor.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self._supervisor.kill()
                self._supervisor.wait()
        self._requests = self._supervisor = None
