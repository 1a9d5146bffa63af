"""Faults that strike at one point of the engine for sure, when the test orders them.

An order is a file, named by CHAOS_ORDER, that reads for example "SIGKILL claim"."""

import os
import signal
import threading
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple

from scheduler_app.engine.claim import Claimer
from scheduler_app.engine.dispatcher import Dispatcher
from scheduler_app.models.count import JobCountQuerySet
from scheduler_app.models.node import NodeQuerySet
from scheduler_app.models.progress import RunProgressQuerySet


class Point(NamedTuple):
    """A call of `owner.function`, before it or after it, that passes the test `is_it`."""

    owner: type
    function: str
    after: bool
    is_it: Callable[[tuple[Any, ...], Any], bool]


def _counts_a_job_that_others_count(args: tuple[Any, ...], _: object) -> bool:
    """The recorder does, and the next claim counts what it skips of that job."""
    in_recorder = threading.current_thread().name == "scheduler-recorder"
    return in_recorder and any(name.startswith("two-seconds") for name in args[1])


def _in_judgement(_: tuple[Any, ...], closed: object) -> bool:
    return bool(closed) and threading.current_thread().name == "scheduler-liveness"


POINTS = {
    # The rows are inserted and the timetable is advanced, neither is committed.
    "claim": Point(Claimer, "_claim_rows", True, lambda _, runs: bool(runs)),
    # The claim is committed, nothing of it has reached the executor.
    "hand-over": Point(Dispatcher, "hand_over", False, lambda args, _: bool(args[1])),
    # Another node is marked as stopped, its runs are not closed, neither is committed.
    "closing": Point(NodeQuerySet, "close", True, _in_judgement),
    # Outcomes are written and counted, neither is committed.
    "recording": Point(JobCountQuerySet, "append", True, _counts_a_job_that_others_count),
    # What running runs say is written, not committed.
    "telling": Point(RunProgressQuerySet, "write", True, lambda args, _: True),
}


def arm() -> None:
    """Have every point look for orders, if this process takes any."""
    order = os.environ.get("CHAOS_ORDER")
    if order:
        for name, point in POINTS.items():
            _arm(name, point, Path(order))


def _arm(name: str, point: Point, order: Path) -> None:
    original = getattr(point.owner, point.function)

    @wraps(original)
    def with_fault(*args: Any, **options: Any) -> Any:
        if not point.after and point.is_it(args, None):
            _obey(order, name)
        result = original(*args, **options)
        if point.after and point.is_it(args, result):
            _obey(order, name)
        return result

    setattr(point.owner, point.function, with_fault)


def _obey(order: Path, name: str) -> None:
    if not order.exists():
        return
    number, where = order.read_text().split()
    if where == name:
        order.unlink()
        os.kill(os.getpid(), signal.Signals[number])
        time.sleep(0.5)  # the signal may reach another thread first: do not get past this point
