"""What a job may leave in its thread and in its process."""

import asyncio
import contextvars
import decimal
import gc
import locale
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import warnings
from typing import Any, NoReturn

from tests.execution.hostile.table import FAILED, OK, hostile

_local = threading.local()
_variable = contextvars.ContextVar("_variable", default=0)


def _refuse(*_: object) -> NoReturn:
    raise KeyboardInterrupt


@hostile(OK)
def goes_to_a_folder_that_is_gone() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)


@hostile(OK)
def sets_the_locale() -> None:
    locale.setlocale(locale.LC_ALL, "C" if locale.setlocale(locale.LC_ALL) != "C" else "C.UTF-8")


@hostile(OK)
def makes_warnings_errors() -> None:
    warnings.simplefilter("error", UserWarning)


@hostile(OK)
def lowers_the_recursion_limit() -> None:
    sys.setrecursionlimit(100)


@hostile(OK)
def sets_the_socket_timeout() -> None:
    socket.setdefaulttimeout(0.000_001)


@hostile(OK)
def turns_garbage_collection_off() -> None:
    gc.disable()


@hostile(OK)
def sets_hooks_that_raise() -> None:
    threading.settrace(_refuse)
    threading.setprofile(_refuse)
    sys.setprofile(None)
    sys.settrace(lambda *_: None)


@hostile(OK)
def leaves_a_closed_event_loop() -> None:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.close()


@hostile(OK)
def leaves_a_running_event_loop() -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    asyncio._set_running_loop(loop)


@hostile(OK)
def leaves_an_event_loop_policy_that_raises() -> None:
    class Policy(asyncio.DefaultEventLoopPolicy):
        new_event_loop = _refuse

    asyncio.set_event_loop_policy(Policy())


@hostile(OK)
def sets_values_of_its_thread() -> None:
    _local.value = 1
    _variable.set(1)
    decimal.getcontext().prec = 1
    decimal.getcontext().traps[decimal.Inexact] = True


@hostile(FAILED, "signal only works in main thread", isolated=(OK, ""))
def sets_a_signal_handler() -> None:
    signal.signal(signal.SIGUSR1, _refuse)


@hostile(OK)
def forks_and_the_child_returns() -> None:
    if pid := os.fork():
        os.waitpid(pid, 0)


@hostile(OK)
def forks_and_the_child_raises() -> None:
    pid = os.fork()
    if not pid:
        raise ValueError
    os.waitpid(pid, 0)


@hostile(OK)
def forks_and_the_child_exits() -> None:
    pid = os.fork()
    if not pid:
        sys.exit(3)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3


@hostile(OK)
async def forks_in_a_coroutine() -> None:
    if pid := os.fork():
        os.waitpid(pid, 0)


@hostile(OK)
def leaves_a_program() -> None:
    subprocess.Popen(["sleep", "1"], stdout=subprocess.DEVNULL)


@hostile(OK)
def leaves_a_thread() -> None:
    threading.Thread(target=threading.Event().wait, args=(1,), daemon=True).start()


@hostile(OK)
def ends_its_descriptors() -> Any:
    return {"left": os.pipe()}
