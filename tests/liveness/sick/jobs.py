"""Jobs that hold what others need."""

import ctypes
import multiprocessing
import os
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from scheduler_app import job
from scheduler_app.backends.threads import ThreadExecutor

HELD = float(os.environ.get("SICK_HELD", "3.5"))
"""For how long, in seconds, a job holds the interpreter lock at least."""


@job(cron="* * * * * *")
def tick() -> None:
    """Do nothing, every second."""


@job(cron="0 0 1 1 *")
def endless() -> None:
    """Never end."""
    while True:
        time.sleep(1)


@job(cron="0 0 1 1 *")
def regex() -> None:
    """Match a slow regular expression, during which no other thread of the process runs."""
    time.sleep(0.5)  # so that no thread is in the midst of a transaction, most likely
    length, took = 20, 0.0
    while took < HELD:
        began = time.monotonic()
        re.match(r"(a+)+$", "a" * length + "b")
        took = time.monotonic() - began
        length += 1


@job(cron="0 0 1 1 *")
def leaves_pool() -> None:
    """Leave a call in a thread pool that does not end."""
    ThreadPoolExecutor(1).submit(threading.Event().wait)


@job(cron="0 0 1 1 *")
def leaves_child() -> None:
    """Leave a process that does not end, for which Python waits at its exit."""
    multiprocessing.get_context("spawn").Process(target=time.sleep, args=(600,)).start()


@job(cron="0 0 1 1 *")
def wakes_no_thread() -> None:
    """Have the scheduler hand runs to threads that do not hear of them."""
    ThreadExecutor._wake_one = lambda self: None  # type: ignore[method-assign]


@job(cron="0 0 1 1 *")
def ends_recorder() -> None:
    _end_thread("recorder")


@job(cron="0 0 1 1 *")
def ends_grpc() -> None:
    _end_thread("_serve")


def _end_thread(name: str) -> None:
    """Raise an exception in this thread of the scheduler's, which that does not catch."""
    (thread,) = (thread for thread in threading.enumerate() if name in thread.name)
    number = ctypes.c_ulong(thread.ident or 0)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(number, ctypes.py_object(SystemExit))
