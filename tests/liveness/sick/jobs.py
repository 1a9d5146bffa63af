"""Jobs that hold what others need."""

import atexit
import ctypes
import gc
import logging
import math
import multiprocessing
import os
import re
import resource
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from scheduler_app import job
from scheduler_app.backends.threads import ThreadExecutor
from scheduler_app.engine.claim import Claimer
from scheduler_app.engine.liveness import Liveness
from scheduler_app.engine.recorder import Recorder
from scheduler_app.engine.scheduler import Scheduler
from scheduler_app.engine.vouching import Voucher

if "SICK_GRPC" in os.environ:
    import grpc  # noqa: F401

T = TypeVar("T")

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
    length, took = 10, 0.0
    while took < 0.05:  # each letter doubles the time
        length += 1
        took = _match(length)
    length += math.ceil(math.log2(1.2 * HELD / took))
    time.sleep(0.5)  # so that no thread is in the midst of a transaction, most likely
    _match(length)


def _match(length: int) -> float:
    """Return how much processor time this took, in seconds."""
    began = time.thread_time()
    re.match(r"(a+)+$", "a" * length + "b")
    return time.thread_time() - began


@job(cron="0 0 1 1 *")
def leaves_pool() -> None:
    """Leave a call in a thread pool that does not end."""
    ThreadPoolExecutor(1).submit(threading.Event().wait)


@job(cron="0 0 1 1 *")
def leaves_child() -> None:
    """Leave a process that does not end, for which Python waits at its exit."""
    multiprocessing.get_context("spawn").Process(target=time.sleep, args=(600,)).start()


@job(cron="0 0 1 1 *")
def leaves_exit_function() -> None:
    """Leave a function for Python's exit that does not end."""
    atexit.register(_hang)


@job(cron="0 0 1 1 *")
def leaves_log_handler() -> None:
    """Leave a log handler that does not end to flush what it has."""
    handler = logging.Handler()
    _replace(handler, "flush", _hang)
    logging.getLogger("sick").addHandler(handler)


if "SICK_APART" in os.environ:

    @job(cron="0 0 1 1 *", isolated=True)
    def endless_apart() -> None:
        """Never end, in a process of its own that takes no signal."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            time.sleep(1)


@job(cron="0 0 1 1 *")
def forks() -> None:
    """Have many children, one after the other."""
    for _ in range(400):
        pid = os.fork()
        if not pid:
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0


@job(cron="0 0 1 1 *")
def asks_for_signals() -> None:
    """Have the system send signals that end a process which does not expect them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (1, hard))
    for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
        signal.setitimer(timer, 0.05)
    os.kill(os.getpid(), signal.SIGIO)
    deadline = time.process_time() + 1.5
    while time.process_time() < deadline:
        pass
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


@job(cron="0 0 1 1 *")
def wakes_no_thread() -> None:
    """Have the scheduler hand runs to threads that do not hear of them."""
    ThreadExecutor._wake_one = lambda self: None  # type: ignore[method-assign]


@job(cron="0 0 1 1 *")
def starts_no_thread() -> None:
    """Have no further thread be started, as at a limit of the system's, and keep those busy that
    there are."""
    _replace(threading.Thread, "start", _refuse)
    for executor in _living(ThreadExecutor):
        executor._size = len(executor._threads) + 1
        for _ in range(executor._size):
            executor._tasks.append(_hang)
            executor._unended += 1


@job(cron="0 0 1 1 *")
def hangs_claims() -> None:
    _replace(Claimer, "claim", _hang)


@job(cron="0 0 1 1 *")
def hangs_recorder() -> None:
    _replace(Recorder, "_record", _hang)


@job(cron="0 0 1 1 *")
def ends_recorder() -> None:
    _replace(Recorder, "_work", _end)
    _replace(Recorder, "_take_back", _end)


@job(cron="0 0 1 1 *")
def ends_tick() -> None:
    _replace(Scheduler, "_process_jobs", _end)


@job(cron="0 0 1 1 *")
def ends_liveness() -> None:
    _replace(Liveness, "_pause", _end)


@job(cron="0 0 1 1 *")
def ends_pulse() -> None:
    for voucher in _living(Voucher):
        _replace(voucher._stopped, "wait", _end)


@job(cron="0 0 1 1 *")
def ends_grpc() -> None:
    _end_thread("_serve")


def _replace(owner: object, name: str, function: Callable[..., Any]) -> None:
    setattr(owner, name, function)


def _hang(*_: Any, **__: Any) -> None:
    threading.Event().wait()


def _refuse(*_: Any) -> None:
    raise RuntimeError("can't start new thread")


def _end(*_: Any) -> None:
    """Raise what ends the calling thread without a word."""
    raise SystemExit


def _living(kind: type[T]) -> list[T]:
    """Return the objects of this class in this process."""
    gc.unfreeze()  # what is frozen is not listed
    return [found for found in gc.get_objects() if isinstance(found, kind)]


def _end_thread(name: str) -> None:
    """Raise an exception in this thread of the scheduler's, which that does not catch."""
    (thread,) = (thread for thread in threading.enumerate() if name in thread.name)
    number = ctypes.c_ulong(thread.ident or 0)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(number, ctypes.py_object(SystemExit))


@job(cron="0 0 1 1 *")
def forks_for_long() -> None:
    """Leave a copy of this process, with all that it has open."""
    if not os.fork():
        time.sleep(600)
        os._exit(0)
