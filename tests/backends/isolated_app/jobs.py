"""Jobs that behave badly in every way, for processes of their own."""

import faulthandler
import logging
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from django.db import connection

from scheduler_app import JobContext, job

logger = logging.getLogger(__name__)

if "ISOLATED_CONNECTS" in os.environ:
    connection.ensure_connection()
if "ISOLATED_THREADS" in os.environ:
    threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()


def returns(context: JobContext) -> dict[str, Any]:
    context.report(done=1)
    return {
        "run": context.run_id,
        "attempt": context.attempt,
        "at": context.scheduled_for,
        "in_main_thread": threading.current_thread() is threading.main_thread(),
        "arguments": sys.argv,
        "connected": connection.connection is not None,
    }


def takes_arguments(context: JobContext, limit: int = 1) -> dict[str, Any]:
    return {"limit": limit, "arguments": context.arguments}


def raises(context: JobContext) -> None:
    context.report(done=1)
    raise ValueError("no such record")


def exits(context: JobContext) -> None:
    context.report(done=1)
    os._exit(3)


def kills_itself(context: JobContext) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def returns_an_object(context: JobContext) -> dict[str, Any]:
    return {"object": threading.Lock(), "text": "a\0\ud800"}


def sleeps(context: JobContext) -> None:
    print("good night")
    context.report(pid=os.getpid(), done=3)
    time.sleep(60)


def spins(context: JobContext) -> None:
    """Never let go of the interpreter."""
    logger.warning("matching")
    context.report(pid=os.getpid(), done=3)
    re.match(r"(a+)+$", "a" * 60 + "b")


def has_a_child(context: JobContext) -> None:
    child = subprocess.Popen(["sleep", "60"])
    context.report(pid=os.getpid(), child=child.pid)
    child.wait()


def leaves_a_child(context: JobContext) -> None:
    context.report(child=subprocess.Popen(["sleep", "60"]).pid)


def ends_its_child(context: JobContext) -> dict[str, int]:
    child = subprocess.Popen(["sleep", "60"])
    child.terminate()
    return {"code": child.wait()}


def has_a_pool(context: JobContext) -> dict[str, int]:
    with multiprocessing.get_context("fork").Pool(2) as pool:
        return {"sum": sum(pool.map(abs, [-1, -2, -3]))}


def obeys(context: JobContext) -> dict[str, bool]:
    context.report(pid=os.getpid())
    while not context.cancelled:
        time.sleep(0.01)
    return {"obeyed": True}


def knows_and_goes_on(context: JobContext) -> None:
    while not context.cancelled:
        time.sleep(0.01)
    time.sleep(60)


def ends_soon(context: JobContext) -> dict[str, bool]:
    context.report(pid=os.getpid())
    context.cancel_event.wait(30)
    time.sleep(0.5)
    return {"ended": True}


def ends_with_a_thread_left(context: JobContext) -> None:
    threading.Thread(target=time.sleep, args=(60,)).start()


def talks(context: JobContext) -> None:
    print("begin")
    for number in range(20_000):
        print(f"line {number}")
    print("x" * 1_000_000)
    print("end")


def talks_in_a_thread(context: JobContext) -> None:
    thread = threading.Thread(target=print, args=("from a thread",))
    thread.start()
    thread.join()
    print("an error", file=sys.stderr)
    logger.warning("a warning")


DAEMON = """
import ctypes, os, signal, sys, time
if os.fork():
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)
ctypes.CDLL(None).prctl(15, b"another", 0, 0, 0)
os.chdir("/")
os.write(int(sys.argv[1]), str(os.getpid()).encode())
os.close(int(sys.argv[1]))
time.sleep(60)
"""


def _start_daemon() -> int:
    """As programs do that go into the background; the daemon's id."""
    here, there = os.pipe()
    command = [sys.executable, "-c", DAEMON, str(there)]
    subprocess.run(command, env={}, pass_fds=[there], check=True)
    os.close(there)
    return int(os.read(here, 20))


def leaves_a_daemon(context: JobContext) -> None:
    context.report(pid=os.getpid(), daemon=_start_daemon())


def sleeps_beside_a_daemon(context: JobContext) -> None:
    context.report(pid=os.getpid(), daemon=_start_daemon())
    time.sleep(60)


def exits_beside_a_daemon(context: JobContext) -> None:
    context.report(daemon=_start_daemon())
    os._exit(0)


def forks(context: JobContext) -> None:
    """The child comes back from the function."""
    if pid := os.fork():
        context.report(child=pid)
        os.waitpid(pid, 0)


def reports_much(context: JobContext) -> None:
    for number in range(20_000):
        context.report(number=number)
    context.report(last=True)
    time.sleep(60)


def reports_twice_and_spins(context: JobContext) -> None:
    context.report(first=True)
    context.report(pid=os.getpid())
    re.match(r"(a+)+$", "a" * 60 + "b")


def writes_everywhere(context: JobContext) -> None:
    print("printed")
    subprocess.run(["echo", "by a program"], check=True)
    subprocess.run(["sh", "-c", "echo by another program >&2"], check=True)
    os.write(1, b"to a descriptor \xff\n")
    sys.stdout.buffer.write(b"bytes\n")
    sys.stdout.buffer.flush()
    subprocess.run(["echo", "to our stream"], stdout=sys.stdout, check=True)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        pool.map(print, ["in a pool"])
    logger.warning("logged")


def crashes(context: JobContext) -> None:
    faulthandler.enable()
    faulthandler._sigsegv()  # type: ignore[attr-defined]


def says_much_and_is_killed(context: JobContext) -> None:
    for number in range(20_000):
        context.progress(number, 20_000, "counting")
    time.sleep(0.3)  # what follows each other quickly is gathered for 0.1 s
    context.progress(20_000, 20_000, "done")
    print("last words", end="", flush=True)
    time.sleep(0.3)
    os.kill(os.getpid(), signal.SIGKILL)


async def counts(context: JobContext) -> None:
    for number in range(1_000):
        context.progress(number, 1_000)
    context.progress(float("nan"), 1_000, "a\0\ud800")


JOBS: list[Callable[..., Any]] = [
    value
    for value in list(globals().values())
    if callable(value) and getattr(value, "__module__", "") == __name__
]
for function in JOBS:
    job(cron="0 0 1 1 *")(function)


class Greeter:
    def __call__(self, context: JobContext) -> dict[str, Any]:
        return {"hello": context.job_name}

    def greet(self) -> dict[str, Any]:
        return {"hello": "method"}


def greet(whom: str) -> dict[str, Any]:
    return {"hello": whom}


job(cron="@yearly", name="a-partial")(partial(greet, "partial"))
job(cron="@yearly", name="an-object")(Greeter())
job(cron="@yearly", name="a-method")(Greeter().greet)
