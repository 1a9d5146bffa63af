"""Starts of worker processes, as their launcher makes them, and what they do at first and last.

A worker is forked where that is safe: the launcher has one thread and no connection. Where it is
not, because importing the jobs has started threads (gRPC's among them, which do not survive it)
or on another system than Linux, each worker is a fresh interpreter that imports all anew."""

import atexit
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import NoReturn

import django
from django.db import connections
from django.utils.module_loading import import_string

from scheduler_app.executors import interpreter, kernel
from scheduler_app.executors.channel import Channel

Serve = Callable[[Channel], None]
"""What a worker does, given its channel to the process that asked for it."""

SHIELDED = (signal.SIGINT, signal.SIGTERM)
"""Signals that a terminal or a service manager sends to all processes of a scheduler at its stop.
The scheduler alone decides what they mean for its runs."""


def load() -> None:
    """Import Django and the jobs, and leave no database connection open."""
    django.setup()
    for connection in connections.all(initialized_only=True):
        connection.close()
        with suppress(AttributeError):  # a backend without pools
            connection.close_pool()  # type: ignore[attr-defined]


def may_fork() -> bool:
    return kernel.threads() == 1


def fork(serve: Serve, data: socket.socket, foreign: Iterable[socket.socket]) -> int:
    """Start a worker as a copy of this process without its `foreign` sockets; its id."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    launcher = os.getpid()
    pid = os.fork()
    if pid:
        with suppress(OSError):
            os.setpgid(pid, pid)  # here too: it may be killed before it has run at all
        return pid
    try:
        signal.set_wakeup_fd(-1)
        for end in foreign:
            end.close()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        atexit._clear()  # what the launcher's imports have registered is for the launcher to do
        os.setpgid(0, 0)
        _serve(serve, data, launcher)
    finally:
        os._exit(1)


def spawn(serve: str, data: socket.socket) -> int:
    """Start a worker as a fresh interpreter; its id."""
    data.set_inheritable(True)
    arguments = interpreter.command(__name__, serve, data.fileno(), os.getpid())
    return os.posix_spawn(arguments[0], arguments, os.environ, setpgroup=0)


def main(serve: str, data: int, launcher: int) -> NoReturn:
    """A spawned worker's whole life."""
    kernel.die_with_parent(launcher)
    os.set_inheritable(data, False)
    load()
    _serve(import_string(serve), socket.socket(fileno=data), launcher)


def _serve(serve: Serve, data: socket.socket, launcher: int) -> NoReturn:
    code = 1
    try:
        kernel.die_with_parent(launcher)
        for number in SHIELDED:
            signal.signal(number, ignore)
        os.register_at_fork(after_in_child=_unshield)
        atexit.register(logging.shutdown)
        serve(Channel(data))
        code = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):
                stream.flush()
        os._exit(code)


def ignore(*_: object) -> None:
    """A handler that does nothing. Unlike SIG_IGN it is not inherited by the programs that a job
    starts."""


def _unshield() -> None:
    """Processes that a job forks, such as those of a multiprocessing pool, are ended by SIGTERM."""
    for number in SHIELDED:
        if signal.getsignal(number) is ignore:
            signal.signal(number, signal.SIG_DFL)
