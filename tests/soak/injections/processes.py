"""Faults of the scheduler's own processes."""

import os
import random
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.soak.injections.registry import injection
from tests.soak.nodes import Node
from tests.soak.stage import Stage

Limits = tuple[int, int]
MARGIN = 4 * 1024 * 1024
"""Less than the stack of a thread needs."""


@injection(weight=3)
def kill(stage: Stage, draw: random.Random) -> None:
    """SIGKILL; the supervisor starts the node again."""
    with stage.any_node(draw) as node:
        if node:
            _kill(stage, node, "kill")


@injection()
def kill_all(stage: Stage, draw: random.Random) -> None:
    """SIGKILL of every node at once."""
    for node in stage.nodes:
        if node.process.poll() is None:
            _kill(stage, node, "kill all")


def _kill(stage: Stage, node: Node, name: str) -> None:
    stage.timeline.moment(name, "kill", node.life)
    node.send(signal.SIGKILL)


@injection(weight=3)
def freeze(stage: Stage, draw: random.Random) -> None:
    """SIGSTOP, then SIGCONT."""
    with stage.any_node(draw) as node:
        if node:
            with node.frozen("freeze"):
                stage.hold(draw)


@injection()
def flutter(stage: Stage, draw: random.Random) -> None:
    """Many short freezes, at any point of what the node does."""
    with stage.any_node(draw) as node:
        for _ in range(8 if node else 0):
            assert node is not None
            with node.frozen("flutter"):
                stage.over.wait(draw.uniform(0.1, 4))
            stage.over.wait(draw.uniform(0.05, 1))


@injection(weight=2)
def terminate(stage: Stage, draw: random.Random) -> None:
    """SIGTERM: the node ends what it has begun."""
    _stop(stage, draw, signal.SIGTERM)


@injection()
def hang_up(stage: Stage, draw: random.Random) -> None:
    """SIGHUP, as from a terminal that is closed."""
    _stop(stage, draw, signal.SIGHUP)


@injection()
def interrupt(stage: Stage, draw: random.Random) -> None:
    """SIGINT."""
    _stop(stage, draw, signal.SIGINT)


def _stop(stage: Stage, draw: random.Random, number: signal.Signals) -> None:
    with stage.any_node(draw) as node:
        if node:
            with stage.timeline.during(number.name, "stop", node.life):
                node.stop(number)


@injection()
def freeze_child(stage: Stage, draw: random.Random) -> None:
    """SIGSTOP of a child of the scheduler, the one that launches isolated runs for example."""
    with stage.any_node(draw) as node:
        children = _children(node) if node else []
        if not node or not children:
            return
        child = draw.choice(children)
        with stage.timeline.during("freeze child", "limit", node.life), suppress(OSError):
            os.kill(child, signal.SIGSTOP)
            try:
                stage.hold(draw)
            finally:
                os.kill(child, signal.SIGCONT)


def _children(node: Node) -> list[int]:
    found: list[int] = []
    with suppress(OSError):  # it may have ended
        for task in Path(f"/proc/{node.pid}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return sorted(found)


@injection(weight=2)
def memory_limit(stage: Stage, draw: random.Random) -> None:
    """No thread can be started any more, and little memory is to be had."""
    with stage.any_node(draw) as node:
        if node and (size := _size(node)):
            with _limited(stage, node, "memory limit", resource.RLIMIT_AS, size + MARGIN):
                stage.hold(draw, 15)


@injection()
def file_limit(stage: Stage, draw: random.Random) -> None:
    """No file can be opened any more, no connection made."""
    with stage.any_node(draw) as node:
        if node and (files := _files(node)):
            with _limited(stage, node, "file limit", resource.RLIMIT_NOFILE, files):
                stage.hold(draw, 15)


@contextmanager
def _limited(stage: Stage, node: Node, name: str, what: int, limit: int) -> Iterator[None]:
    pid = node.pid
    with stage.timeline.during(name, "limit", node.life), suppress(ProcessLookupError):
        before: Limits = resource.prlimit(pid, what)
        resource.prlimit(pid, what, (limit, before[1]))
        try:
            yield
        finally:
            resource.prlimit(pid, what, before)


def _size(node: Node) -> int:
    """Of its address space, in bytes; 0 if it has ended."""
    with suppress(OSError):
        pages = Path(f"/proc/{node.pid}/statm").read_text().split()[0]
        return int(pages) * resource.getpagesize()
    return 0


def _files(node: Node) -> int:
    with suppress(OSError):
        return len(list(Path(f"/proc/{node.pid}/fd").iterdir()))
    return 0


@injection("postgres")
def clock_of_node(stage: Stage, draw: random.Random) -> None:
    """A node's own clock is wrong by up to an hour; all live by the server's."""
    with stage.any_node(draw) as node:
        if node:
            with stage.timeline.during("clock of node", "limit", node.life):
                node.put_clock(draw.choice([-3600, -60, -5, 5, 60, 3600]))
                stage.hold(draw)
                node.put_clock(0)


@injection("sqlite")
def clock_step(stage: Stage, draw: random.Random) -> None:
    """The machine's clock jumps forward or back by some seconds, and later back again."""
    with stage.any_node(draw) as node:
        if node:
            step = draw.choice([-15, -5, 5, 15])
            with stage.timeline.during("clock step", "clock", f"{step:+d} s"):
                node.put_clock(step)
                stage.hold(draw, 20)
                node.put_clock(0)
                stage.over.wait(abs(step) + 2)  # what was gone through already is not due again
