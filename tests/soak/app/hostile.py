"""What jobs do that nobody would write on purpose, by name, with the outcome that is right.

"ok" is a success, "bad" a failure, "any" either. The outcome is written before the act, so a run
must have ended soon after it unless the act takes its time."""

from __future__ import annotations

import asyncio
import locale
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from asgiref.sync import sync_to_async
from django.db import connection, connections, transaction

if TYPE_CHECKING:  # the soak itself reads the names of the acts, and runs none of our code
    from scheduler_app import JobContext

ORDERS = "SOAK_ORDERS"
Act = Callable[["JobContext"], object]
AsyncAct = Callable[["JobContext"], Awaitable[object]]


def order_for(job: str) -> str:
    """Take the order for this job, if there is one; another process may take it first."""
    for path in sorted(Path(os.environ[ORDERS]).glob(f"{job}.*")):
        with suppress(FileNotFoundError):
            path.unlink()
            return path.suffix[1:]
    return "nothing"


class Unprintable(Exception):
    def __str__(self) -> str:
        raise KeyboardInterrupt("no text")

    __repr__ = __str__


class BadNotes(Exception):
    @property
    def __notes__(self) -> NoReturn:  # type: ignore[override]
        raise RuntimeError("no notes")


class Silent(BaseException):
    pass


def nothing(_: JobContext) -> None:
    """Be a good job."""


def leave_raw_transaction(_: JobContext) -> None:
    connection.cursor().execute("BEGIN")


def leave_atomic(_: JobContext) -> None:
    transaction.atomic().__enter__()
    connection.cursor().execute("SELECT 1")


def leave_autocommit_off(_: JobContext) -> None:
    transaction.set_autocommit(False)
    connection.cursor().execute("SELECT 1")


def leave_session_settings(_: JobContext) -> None:
    if connection.vendor == "postgresql":
        connection.cursor().execute("SET statement_timeout = 1")
        connection.cursor().execute("SET default_transaction_read_only = on")
    else:
        connection.cursor().execute("PRAGMA query_only = 1")


def close_connections(_: JobContext) -> None:
    connection.ensure_connection()
    connections.close_all()


def close_driver_connection(_: JobContext) -> None:
    connection.ensure_connection()
    connection.connection.close()


def hold_lock(context: JobContext) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE scheduler_app_jobrun SET cancel_reason = '' WHERE id = %s", [context.run_id]
        )
        threading.Event().wait(3)


def raise_unprintable(_: JobContext) -> NoReturn:
    raise Unprintable


def raise_bad_notes(_: JobContext) -> NoReturn:
    raise BadNotes


def raise_base_exception(_: JobContext) -> NoReturn:
    raise Silent


def raise_keyboard_interrupt(_: JobContext) -> NoReturn:
    raise KeyboardInterrupt


def raise_generator_exit(_: JobContext) -> NoReturn:
    raise GeneratorExit


def raise_syntax_error(_: JobContext) -> NoReturn:
    raise SyntaxError("odd", ("file", -5, 10**9, "\x00"))


def raise_group(_: JobContext) -> NoReturn:
    raise BaseExceptionGroup("group", [Silent(), Unprintable()])


def raise_huge(_: JobContext) -> NoReturn:
    raise ValueError("\x00\ud800" * 500_000)


def recurse(context: JobContext) -> object:
    return recurse(context)


def exit_zero(_: JobContext) -> NoReturn:
    sys.exit(0)


def exit_three(_: JobContext) -> NoReturn:
    sys.exit(3)


def end_process(_: JobContext) -> NoReturn:
    os._exit(1)


def kill_process(_: JobContext) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def report_deep(context: JobContext) -> None:
    value: list[Any] = []
    for _ in range(700):
        value = [value]
    context.report(deep=value)


def report_unprintable(context: JobContext) -> None:
    context.report(odd=Unprintable())


def return_circle(_: JobContext) -> object:
    circle: dict[str, Any] = {}
    circle["circle"] = circle
    return circle


def hold_interpreter(_: JobContext) -> None:
    """For some seconds, in one call that never lets go of the interpreter lock."""
    for length in range(20, 40):
        begun = time.monotonic()
        re.match(r"(a+)+$", "a" * length + "b")
        if time.monotonic() - begun > 2:
            return


def fork_and_return(_: JobContext) -> None:
    """The child returns as its parent does."""
    child = os.fork()
    if child:
        threading.Timer(5, lambda: suppress_wait(child)).start()


def fork_and_exit(_: JobContext) -> None:
    child = os.fork()
    if not child:
        sys.exit(0)
    threading.Timer(5, lambda: suppress_wait(child)).start()


def suppress_wait(child: int) -> None:
    with suppress(ChildProcessError):
        os.waitpid(child, os.WNOHANG)


def print_junk(_: JobContext) -> None:
    print("\x00\x1b[2J\ud800" * 20_000)
    os.write(1, os.urandom(4096))


def write_bytes(_: JobContext) -> None:
    sys.stdout.write(b"x")  # type: ignore[arg-type]


def close_stdout(_: JobContext) -> None:
    sys.stdout.close()


def read_stdin(_: JobContext) -> None:
    sys.stdin.read()


def leave_thread(_: JobContext) -> None:
    threading.Thread(target=threading.Event().wait, args=(20,)).start()


def leave_loop(_: JobContext) -> None:
    asyncio.set_event_loop(asyncio.new_event_loop())


def leave_locale(_: JobContext) -> None:
    with suppress(locale.Error):
        locale.setlocale(locale.LC_ALL, "C.UTF-8")


def take_memory(_: JobContext) -> None:
    len(bytearray(200_000_000))


def ignore_signals_and_hang(_: JobContext) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        with suppress(ValueError):  # in a thread
            signal.signal(number, signal.SIG_IGN)
    threading.Event().wait(60)


ACTS: dict[str, tuple[str, Act]] = {
    "nothing": ("ok", nothing),
    "leave_raw_transaction": ("bad", leave_raw_transaction),
    "leave_atomic": ("bad", leave_atomic),
    "leave_autocommit_off": ("any", leave_autocommit_off),
    "leave_session_settings": ("any", leave_session_settings),
    "close_connections": ("any", close_connections),
    "close_driver_connection": ("any", close_driver_connection),
    "hold_lock": ("any", hold_lock),
    "raise_unprintable": ("bad", raise_unprintable),
    "raise_bad_notes": ("bad", raise_bad_notes),
    "raise_base_exception": ("bad", raise_base_exception),
    "raise_keyboard_interrupt": ("bad", raise_keyboard_interrupt),
    "raise_generator_exit": ("bad", raise_generator_exit),
    "raise_syntax_error": ("bad", raise_syntax_error),
    "raise_group": ("bad", raise_group),
    "raise_huge": ("bad", raise_huge),
    "recurse": ("bad", recurse),
    "exit_zero": ("ok", exit_zero),
    "exit_three": ("bad", exit_three),
    "report_deep": ("ok", report_deep),
    "report_unprintable": ("ok", report_unprintable),
    "return_circle": ("ok", return_circle),
    "hold_interpreter": ("ok", hold_interpreter),
    "fork_and_return": ("any", fork_and_return),
    "fork_and_exit": ("any", fork_and_exit),
    "print_junk": ("ok", print_junk),
    "write_bytes": ("any", write_bytes),
    "close_stdout": ("any", close_stdout),
    "read_stdin": ("any", read_stdin),
    "leave_thread": ("ok", leave_thread),
    "leave_loop": ("ok", leave_loop),
    "leave_locale": ("ok", leave_locale),
    "take_memory": ("ok", take_memory),
    "end_process": ("bad", end_process),
    "kill_process": ("bad", kill_process),
    "ignore_signals_and_hang": ("bad", ignore_signals_and_hang),
}
FATAL = {"end_process", "kill_process", "ignore_signals_and_hang"}
"""These end the process, or never return: only for runs that have a process of their own."""


async def async_nothing(_: JobContext) -> None:
    """Be a good job."""


async def async_raise_cancelled(_: JobContext) -> NoReturn:
    raise asyncio.CancelledError


async def async_raise_keyboard_interrupt(_: JobContext) -> NoReturn:
    raise KeyboardInterrupt


async def async_raise_unprintable(_: JobContext) -> NoReturn:
    raise Unprintable


async def async_exit_three(_: JobContext) -> NoReturn:
    sys.exit(3)


async def async_leave_transaction(_: JobContext) -> None:
    await sync_to_async(lambda: connection.cursor().execute("BEGIN"))()


async def async_stop_loop(_: JobContext) -> None:
    asyncio.get_running_loop().stop()


async def async_leave_tasks(_: JobContext) -> None:
    keep.append(asyncio.create_task(asyncio.sleep(60)))


async def async_block(_: JobContext) -> None:
    time.sleep(2)


keep: list[asyncio.Task[None]] = []

ASYNC_ACTS: dict[str, tuple[str, AsyncAct]] = {
    "nothing": ("ok", async_nothing),
    "async_raise_cancelled": ("any", async_raise_cancelled),
    "async_raise_keyboard_interrupt": ("bad", async_raise_keyboard_interrupt),
    "async_raise_unprintable": ("bad", async_raise_unprintable),
    "async_exit_three": ("bad", async_exit_three),
    "async_leave_transaction": ("bad", async_leave_transaction),
    "async_stop_loop": ("any", async_stop_loop),
    "async_leave_tasks": ("any", async_leave_tasks),
    "async_block": ("ok", async_block),
}
