"""How late a job's first line comes when many jobs are due at the same second."""

import json
import math
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.databases import Database, Server, moment
from benchmarks.processes import OURS, PLAIN, Load, running, sleep_until
from benchmarks.report import ms, percentile, progress, table, verdict

EVERY = 5
"""Seconds from one batch to the next."""
SAYING = 20
TARGETS = {500: 0.125, 1_000: 0.250}
"""The 99th percentile, in seconds, for so many jobs."""

RATIO = 1.5


def measure(servers: list[Server], seconds: int) -> str:
    """The section of the report. Batches are measured for so many seconds."""
    header = ["due together", "database", "scheduler", "p50", "p99", "max", "target (p99)", ""]
    rows, error, p99s = [], 0.0, dict[str, float]()
    for server in servers:
        for jobs, target in TARGETS.items():
            with server.fresh() as database:
                late, off = _ours(database, jobs, seconds)
            error = max(error, off)
            p99s[server.title] = percentile(late, 99)  # in the end, of the most jobs
            met = verdict(percentile(late, 99) <= target)
            rows.append([*_cells(jobs, server, OURS.title, late), ms(target), met])
        with server.fresh() as database:
            late = _plain(database, jobs, seconds)
        rows.append([*_cells(jobs, server, PLAIN.title, late), "", ""])
    return (
        f"{table(header, rows)}\n\n{_ratio(p99s)}"
        f"For this scheduler the first line is taken to be `started_at`; {SAYING} "
        f"of the jobs looked at the clock themselves in their first line, at most "
        f"{error * 1000:.1f} ms after it."
    )


def _ratio(p99s: dict[str, float]) -> str:
    if len(p99s) < 2:
        return ""
    ratio = p99s["PostgreSQL"] / p99s["SQLite"]
    return (
        f"With {max(TARGETS):,} jobs PostgreSQL's p99 is {ratio:.1f} times SQLite's. Target: "
        f"{RATIO} times at most: {verdict(ratio <= RATIO)}.\n\n"
    )


def _cells(jobs: int, server: Server, title: str, late: list[float]) -> list[str]:
    figures = [ms(percentile(late, percent)) for percent in (50, 99, 100)]
    progress(f"{jobs} jobs, {server.title}, {title}: {figures}, {len(late)} runs")
    return [f"{jobs:,}", server.title, title, *figures]


def _ours(database: Database, jobs: int, seconds: int) -> tuple[list[float], float]:
    """The lateness of every run, and the most that started_at is off the function's own clock."""
    load = Load(jobs=jobs - SAYING, saying=SAYING, every=EVERY)
    with running(OURS, database, load):
        first = _watch(seconds)
    rows = database.rows("SELECT due_at, started_at, metadata FROM scheduler_app_jobrun")
    runs = [(moment(due), started, told) for due, started, told in rows if moment(due) >= first]
    late = [moment(started) - due if started else math.inf for due, started, _ in runs]
    said = [(moment(started), told) for _, started, told in runs if started]
    return late, max((_first_line(told) or started) - started for started, told in said)


def _first_line(metadata: str | dict[str, float]) -> float | None:
    told: dict[str, float] = json.loads(metadata) if isinstance(metadata, str) else metadata
    return told.get("first_line")


def _plain(database: Database, jobs: int, seconds: int) -> list[float]:
    """It records no start: its jobs note the moments themselves."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "begun.json"
        load = Load(jobs=jobs, every=EVERY, begun=str(path))
        with running(PLAIN, database, load) as daemon:
            first = _watch(seconds)
            daemon.stop()
        begun: list[float] = json.loads(path.read_text())
    return [at % EVERY for at in begun if at >= first]


def _watch(seconds: int) -> float:
    """Wait until batches have been due for so many seconds, and the last has been dealt with; the
    moment of the first of them."""
    first = math.ceil((time.time() + 1) / EVERY) * EVERY
    sleep_until(first + seconds - 0.5)
    return first - 0.5
