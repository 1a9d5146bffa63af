"""Jobs that do what no job should."""

import random
import time
from pathlib import Path

from tests.soak.app.hostile import ACTS, ASYNC_ACTS, FATAL
from tests.soak.declared import HOSTILE
from tests.soak.injections.registry import injection
from tests.soak.stage import Stage

TAKEN_WITHIN = 20.0


@injection(weight=8)
def hostile_thread(stage: Stage, draw: random.Random) -> None:
    """In a thread of the scheduler."""
    _order(stage, HOSTILE["thread"], draw.choice(sorted(set(ACTS) - FATAL - {"nothing"})))


@injection(weight=3)
def hostile_isolated(stage: Stage, draw: random.Random) -> None:
    """In a process of its own."""
    _order(stage, HOSTILE["isolated"], draw.choice(sorted(set(ACTS) - {"nothing"})))


@injection(weight=2)
def hostile_async(stage: Stage, draw: random.Random) -> None:
    """In a coroutine."""
    _order(stage, HOSTILE["async"], draw.choice(sorted(set(ASYNC_ACTS) - {"nothing"})))


def _order(stage: Stage, job: str, act: str) -> None:
    order = Path(stage.orders / f"{job}.{act}")
    order.touch()
    deadline = time.monotonic() + TAKEN_WITHIN
    while order.exists() and time.monotonic() < deadline and not stage.over.wait(0.2):
        pass
    taken = not order.exists()
    order.unlink(missing_ok=True)
    stage.timeline.moment(f"{job} {act}" if taken else f"{job} (not taken)", "hostile", job)
