"""What a start costs that finds the schedules of all jobs changed, or has to add all jobs; and how
long another scheduler's job of every second waits for it."""

import time

from benchmarks.databases import Database, Server, moment
from benchmarks.processes import OURS, Load, running
from benchmarks.report import ms, progress, table, verdict

JOBS = 5_000
HEARTBEAT = 5.0
"""Seconds, of the benchmarks' settings: so long a tick may wait at most."""
BEFORE, AFTER = "0 0 1 1 *", "0 0 2 1 *"


def measure(servers: list[Server], seconds: int) -> str:
    """The section of the report: from the start of the process until it serves."""
    rows = []
    for server in servers:
        with server.fresh() as database:
            new = _start(database, BEFORE)
            same = _start(database, BEFORE)
            changed = _start(database, AFTER)
            beside = _beside(database) if database.url.startswith("postgres") else None
        progress(f"{server.title}: {new}, {same}, {changed}, {beside}")
        cells = (
            ["one scheduler", ""] if beside is None else [ms(beside), verdict(beside < HEARTBEAT)]
        )
        rows.append([server.title, *(f"{took:.1f} s" for took in (same, changed, new)), *cells])
    header = ["database", f"{JOBS:,} jobs as before", "all schedules changed", "all jobs new",
              "latest on another scheduler meanwhile", "target: a heartbeat"]  # fmt: skip
    return table(header, rows)


def _start(database: Database, cron: str) -> float:
    begin = time.monotonic()
    with running(OURS, database, Load(jobs=0, resting=JOBS, resting_cron=cron)) as daemon:
        took = time.monotonic() - begin
        daemon.stop()
    return took


def _beside(database: Database) -> float:
    """The greatest lateness, in seconds, of a job of every second, while another scheduler starts
    that changes all schedules."""
    with running(OURS, database, Load(jobs=1, resting=JOBS, resting_cron=AFTER)):
        time.sleep(3)
        begin = time.time()
        with running(OURS, database, Load(jobs=1, resting=JOBS, resting_cron=BEFORE)):
            time.sleep(3)
        runs = database.rows(
            "SELECT due_at, started_at FROM scheduler_app_jobrun "
            "WHERE job_name = 'no-op-0' AND started_at IS NOT NULL"
        )
    late = [moment(start) - moment(due) for due, start in runs if moment(due) >= begin]
    return max(late)
