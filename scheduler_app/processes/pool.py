"""Work in processes of its own, which can be killed: the side that asks for it.

Neither a fork of this process (gRPC and other threads do not survive it) nor multiprocessing: a
supervisor of our own, started as a fresh interpreter, starts the workers and guards them."""

import os
import socket
import subprocess
import threading
import time
from contextlib import ExitStack, suppress

from scheduler_app.logs import SafeLogger
from scheduler_app.processes import linux, protocol, spawn, supervisor
from scheduler_app.processes.handle import START_LIMIT, Worker
from scheduler_app.processes.protocol import Channel

logger = SafeLogger(__name__)

LOOK = 0.5
"""How often, in seconds, to look whether the supervisor answers."""
SILENCE = 5.0
"""After how many seconds without an answer a supervisor is replaced."""
PATIENCE = 10.0
"""How long, in seconds, a supervisor may take to accept a request, or to end."""


class Processes:
    """Starts worker processes, each of which calls `serve` (a dotted path) with its channel to
    here, after `prepare` (another) has been called where they are started. They see settings,
    environment and import path as they are here at the supervisor's start; settings made by
    settings.configure() they cannot see.

    The supervisor is started with the first worker or by start(), and again if it has died or no
    longer answers (see watch)."""

    def __init__(self, serve: str, prepare: str) -> None:
        self._prepare = prepare
        self._serve = serve
        self._lock = threading.Lock()
        self._supervisor: subprocess.Popen[bytes] | None = None
        self._requests: socket.socket | None = None
        self._closed = False
        self._silence = 0.0
        self._looked_at = 0.0
        self._has_beaten = False

    def start(self) -> None:
        """Have the supervisor import everything now. Raises OSError if there can be none."""
        with self._lock:
            self._open_requests()

    def launch(self, timeout: float | None) -> Worker:
        """Start a worker, to be killed after `timeout` seconds. Raises OSError if that cannot be
        asked for; whether it has started the worker itself tells."""
        with ExitStack() as far, ExitStack() as near:
            control, far_control = socket.socketpair()
            near.enter_context(control)
            far.enter_context(far_control)
            data, far_data = socket.socketpair()
            near.enter_context(data)
            far.enter_context(far_data)
            output, far_output = os.pipe()
            near.callback(os.close, output)
            far.callback(os.close, far_output)
            self._request(timeout, far_control, far_data, far_output)
            near.pop_all()
        return Worker(Channel(control), Channel(data), output)

    def watch(self) -> None:
        """Replace a supervisor that no longer answers: it is stopped, or hangs. Call it often while
        workers are active; their endings say that their supervisor has died."""
        now = time.monotonic()
        if now < self._looked_at + LOOK:
            return
        with self._lock:
            # One look counts for a second at most: this process may have been stopped, too.
            passed = min(now - self._looked_at, 1.0)
            self._looked_at = now
            if self._requests is None or protocol.has_beaten(self._requests):
                self._has_beaten = self._requests is not None
                self._silence = 0.0
                return
            self._silence += passed
            if self._silence >= (SILENCE if self._has_beaten else START_LIMIT):
                self._replace_supervisor()

    def _replace_supervisor(self) -> None:
        logger.error("the process that starts and guards workers does not answer; replacing it")
        if self._supervisor is not None:
            linux.kill_tree(self._supervisor.pid)
        self._end_supervisor()

    def close(self) -> None:
        """Kill all workers that are left, and wait until they are gone. No more are started."""
        with self._lock:
            self._closed = True
            self._end_supervisor()

    def _request(
        self, timeout: float | None, control: socket.socket, data: socket.socket, output: int
    ) -> None:
        with self._lock:
            try:
                protocol.send_order(self._open_requests(), timeout, control, data, output)
            except ConnectionError:  # it has died just now
                self._end_supervisor()
                protocol.send_order(self._open_requests(), timeout, control, data, output)

    def _open_requests(self) -> socket.socket:
        """Return the socket that a living supervisor listens on; the lock is held."""
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
        self._has_beaten, self._silence, self._looked_at = False, 0.0, time.monotonic()
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
                linux.kill_tree(self._supervisor.pid)
                self._supervisor.wait()
        self._requests = self._supervisor = None
