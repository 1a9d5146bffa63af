"""Starts of worker processes, as their supervisor makes them, and what they do at first and last.

A worker is forked where that is safe: the supervisor has one thread and no connection. Where it is
not, because importing the jobs has started threads (gRPC's among them, which do not survive it)
or on another system than Linux, each worker is a fresh interpreter that imports all anew."""

import atexit
import json
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from multiprocessing.spawn import get_executable
from pkgutil import resolve_name
from typing import NoReturn

from scheduler_app.processes import linux
from scheduler_app.processes.protocol import Channel

_BOOT = (
    "import importlib, json, sys; "
    "sys.path[:], arguments, module, values = json.loads(sys.argv.pop()); "
    "sys.argv[:] = arguments; importlib.import_module(module).main(*values)"
)

Serve = Callable[[Channel, int], None]
"""What a worker does, given its channel to the process that asked for it, and a descriptor that
leads to there, for its output."""

SHIELDED = (signal.SIGINT, signal.SIGTERM)
"""Signals that a terminal or a service manager sends to all processes of a scheduler at its stop.
The scheduler alone decides what they mean for its runs."""


def interpreter(module: str, *values: int | str) -> list[str]:
    """Return the command that starts an interpreter with the options, import path and sys.argv of
    this one, to call the module's `main` with these values. A host whose sys.executable is no
    Python names one by multiprocessing.set_executable()."""
    flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    boot = json.dumps([sys.path, sys.argv, module, values])
    return [os.fsdecode(get_executable()), *flags, "-c", _BOOT, boot]


def may_fork() -> bool:
    return linux.threads() == 1


def fork(serve: Serve, data: socket.socket, output: int, foreign: Iterable[socket.socket]) -> int:
    """Start a worker as a copy of this process without its `foreign` sockets; return its id."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # full, closed, or missing
            stream.flush()
    supervisor = os.getpid()
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
        atexit._clear()  # what the supervisor's imports have registered is for the supervisor to do
        os.setpgid(0, 0)
        _serve(serve, data, output, supervisor)
    finally:
        os._exit(1)


def spawn(prepare: str, serve: str, data: socket.socket, output: int) -> int:
    """Start a worker as a fresh interpreter; return its id."""
    data.set_inheritable(True)
    os.set_inheritable(output, True)
    arguments = interpreter(__name__, prepare, serve, data.fileno(), output, os.getpid())
    return os.posix_spawn(arguments[0], arguments, os.environ, setpgroup=0)


def main(prepare: str, serve: str, data: int, output: int, supervisor: int) -> NoReturn:
    """Run a spawned worker from its start to its end."""
    linux.die_with_parent(supervisor)
    for descriptor in (data, output):
        os.set_inheritable(descriptor, False)
    resolve_name(prepare)()
    _serve(resolve_name(serve), socket.socket(fileno=data), output, supervisor)


def _serve(serve: Serve, data: socket.socket, output: int, supervisor: int) -> NoReturn:
    code = 1
    try:
        linux.die_with_parent(supervisor)
        linux.adopt_orphans()  # what a job starts stays below it, and can be found
        for number in SHIELDED:
            signal.signal(number, ignore)
        os.register_at_fork(after_in_child=_unshield)
        atexit.register(logging.shutdown)
        serve(Channel(data), output)
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
    """Do nothing. Unlike SIG_IGN, this handler is not inherited by the programs that a job
    starts."""


def _unshield() -> None:
    """Have SIGTERM end processes that a job forks, such as those of a multiprocessing pool."""
    for number in SHIELDED:
        if signal.getsignal(number) is ignore:
            signal.signal(number, signal.SIG_DFL)
