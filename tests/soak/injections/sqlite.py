"""Faults of a SQLite file that others use, too."""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.soak.injections.registry import injection
from tests.soak.stage import Stage


@injection("sqlite", weight=5)
def write_lock(stage: Stage, draw: random.Random) -> None:
    """BEGIN IMMEDIATE, and think about it."""
    with _holding(stage, "write lock") as lite:
        lite.execute("BEGIN IMMEDIATE")
        stage.hold(draw)
        lite.execute("ROLLBACK")


@injection("sqlite", weight=2)
def write_locks_in_a_row(stage: Stage, draw: random.Random) -> None:
    """Take the write lock again and again, with little time between."""
    with _holding(stage, "write locks") as lite:
        for _ in range(10):
            lite.execute("BEGIN IMMEDIATE")
            stage.over.wait(draw.uniform(0.2, 3))
            lite.execute("ROLLBACK")
            stage.over.wait(draw.uniform(0.01, 0.3))


@injection("sqlite")
def long_read(stage: Stage, draw: random.Random) -> None:
    """Read for so long that the write-ahead log cannot be written back."""
    with _holding(stage, "long read") as lite:
        lite.execute("BEGIN")
        lite.execute("SELECT count(*) FROM scheduler_app_jobrun").fetchone()
        stage.hold(draw)
        lite.execute("ROLLBACK")


@injection("sqlite")
def locks_while_logs_fail(stage: Stage, draw: random.Random) -> None:
    """The log service is away, and the file is locked."""
    with stage.timeline.during("log handler raises", "outage", "all"):
        stage.logs_fail.touch()
        with _holding(stage, "write lock") as lite:
            lite.execute("BEGIN IMMEDIATE")
            stage.hold(draw, 10)
            lite.execute("ROLLBACK")
        stage.logs_fail.unlink()


@contextmanager
def _holding(stage: Stage, name: str) -> Iterator[sqlite3.Connection]:
    with (
        stage.timeline.during(name, "outage", "file"),
        suppress(sqlite3.OperationalError),  # another has the file, and keeps it
        stage.store.connect_sqlite() as lite,
    ):
        yield lite
