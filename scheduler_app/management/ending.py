"""How a scheduler's process ends: stopped means ended, whatever hangs."""

import atexit
import logging
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from enum import IntEnum
from typing import NoReturn

from scheduler_app.logs import writer

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Those that stop a process in good order."""
PATIENCE = 5.0
"""How long, in seconds, what jobs and libraries have left behind may take to end with Python."""
LAST_WORDS = 1.0
"""How long, in seconds, log handlers may take at an exit that waits for nothing else."""


class ExitCode(IntEnum):
    """What the exit code of runscheduler and grpcrunserver says. 2 is argparse's; a second signal
    of number N makes it 128 + N."""

    STOPPED = 0
    """Everything has ended, and is recorded."""
    NOT_STARTED = 1
    """It could not start."""
    CUT_OFF = 3
    """It was stopped, and something did not end in time."""
    STUCK = 4
    """It could not work any more, and wants to be restarted."""


def end_process(code: int, say: Callable[[int], None]) -> NoReturn:
    """End Python as at any exit, but within a few seconds; then end the process. `say` is called
    with the code at the very last."""
    ending = threading.Thread(target=_end_python, name="scheduler-exit", daemon=True)
    with suppress(RuntimeError):  # no thread can be started: do without
        ending.start()
        ending.join(PATIENCE)
    has_children = _kill_children()
    if has_children or ending.ident is None or ending.is_alive():
        code = code or ExitCode.CUT_OFF
    _exit(code, say)


def end_process_now(code: int) -> NoReturn:
    """End the process; only the log handlers get a moment."""
    writer.flush(LAST_WORDS)
    flush = threading.Thread(target=logging.shutdown, daemon=True)
    with suppress(RuntimeError):
        flush.start()
        flush.join(LAST_WORDS)
    _exit(code, lambda _: None)


def _end_python() -> None:
    """Do what Python does at its exit: end thread pools, wait for threads, call what is registered
    with atexit."""
    pools = sys.modules.get("concurrent.futures.thread")
    end_pools = getattr(pools, "_python_exit", None)
    try:
        if end_pools:
            end_pools()
        for thread in threading.enumerate():
            if not thread.daemon and thread is not threading.main_thread():
                thread.join()
        for child in multiprocessing.active_children():
            if not child.daemon:
                child.join()
        atexit._run_exitfuncs()
    except BaseException:
        traceback.print_exc()


def _kill_children() -> bool:
    """Kill what is left of multiprocessing's children. Return whether there was any but daemons,
    which are to be killed at the exit."""
    children = multiprocessing.active_children()
    for child in children:
        child.kill()
    return any(not child.daemon for child in children)


def _exit(code: int, say: Callable[[int], None]) -> NoReturn:
    try:
        with suppress(Exception):
            say(code)
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):
                stream.flush()
    finally:
        os._exit(code)
