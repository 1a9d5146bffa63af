"""How far this scheduler is from what the database itself takes: a bare script inserts the same
rows, starts them and ends them, with the same number of rows a commit and durable commits, and does
nothing else."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import psycopg

from benchmarks import throughput
from benchmarks.databases import Database, Server
from benchmarks.report import progress, table, verdict

GOAL = 0.5
CLAIMED = 1_000
"""Rows that one commit inserts."""
RECORDED = 100
"""Rows that one commit starts, and as many that it ends: what a busy scheduler does."""
Execute = Callable[[str], object]

COLUMNS = (
    "job_name, trigger, scheduled_for, due_at, created_at, occurrences, attempt, state, "
    "requested_by, cancel_reason, message, traceback, log, metadata"
)
VALUES = "'schedule', {now}, {now}, {now}, 1, 1, 'queued', '', '', '', '', '', '{{}}'"


def measure(servers: list[Server], seconds: int) -> str:
    """The section of the report. The script runs for so many seconds."""
    rows = []
    for server in servers:
        with server.fresh() as database:
            bare = _bare(database, seconds)
        ours = throughput.sustained(server, seconds)
        share = ours.rate / bare
        progress(f"{server.title}: bare {bare:,.0f} runs/s, ours {ours.rate:,.0f}")
        cells = [f"{bare:,.0f}", f"{ours.rate:,.0f}", f"{share:.0%}", verdict(share >= GOAL)]
        rows.append([server.title, *cells])
    header = ["database", "bare script, runs/s", "this scheduler, runs/s", "share",
              f"goal: {GOAL:.0%}"]  # fmt: skip
    return table(header, rows)


def _bare(database: Database, seconds: int) -> float:
    """Runs a second, each inserted, started and ended."""
    ended, batch, begin = 0, 0, time.perf_counter()
    with _connection(database) as execute:
        while (took := time.perf_counter() - begin) < seconds:
            execute("BEGIN")
            execute(_insertion(database, batch))
            execute("COMMIT")
            first = batch * CLAIMED + 1
            for start in range(first, first + CLAIMED + RECORDED, RECORDED):
                execute("BEGIN")
                if start < first + CLAIMED:
                    execute(_change(database, "state = 'running', started_at = {now}", start))
                if start > first:
                    change = "state = 'success', finished_at = {now}"
                    execute(_change(database, change, start - RECORDED))
                execute("COMMIT")
            ended, batch = ended + CLAIMED, batch + 1
    return ended / took


def _insertion(database: Database, batch: int) -> str:
    values = VALUES.format(now=_now(database))
    if database.url.startswith("sqlite"):
        numbers = (
            "(WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers "
            f"WHERE n < {CLAIMED}) SELECT n FROM numbers)"
        )
    else:
        numbers = f"generate_series(1, {CLAIMED}) AS numbers(n)"
    name = f"'job-' || CAST(n AS text) || '-{batch}'"
    return f"INSERT INTO scheduler_app_jobrun ({COLUMNS}) SELECT {name}, {values} FROM {numbers}"


def _change(database: Database, assignments: str, first: int) -> str:
    changes = assignments.format(now=_now(database))
    last = first + RECORDED - 1
    return f"UPDATE scheduler_app_jobrun SET {changes} WHERE id BETWEEN {first} AND {last}"


def _now(database: Database) -> str:
    if database.url.startswith("sqlite"):
        return "strftime('%Y-%m-%d %H:%M:%f000', 'now')"
    return "clock_timestamp()"


@contextmanager
def _connection(database: Database) -> Iterator[Execute]:
    """One as the scheduler's: commits wait for the disk."""
    if database.url.startswith("sqlite"):
        path = database.url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(path, isolation_level=None)) as lite:
            lite.execute("PRAGMA journal_mode = WAL")
            lite.execute("PRAGMA synchronous = FULL")
            yield lite.execute
    else:
        with psycopg.connect(database.url, autocommit=True) as connection:
            yield lambda statement: connection.execute(statement.encode())
