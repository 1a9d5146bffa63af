"""What a start costs that finds the schedules of all jobs changed, or has to add all jobs."""

import time

from benchmarks.databases import Database, Server
from benchmarks.processes import OURS, Load, running
from benchmarks.report import progress, table

JOBS = 5_000


def measure(servers: list[Server], seconds: int) -> str:
    """The section of the report: from the start of the process until it serves."""
    rows = []
    for server in servers:
        with server.fresh() as database:
            new = _start(database, "0 0 1 1 *")
            same = _start(database, "0 0 1 1 *")
            changed = _start(database, "0 0 2 1 *")
        progress(f"{server.title}: {new}, {same}, {changed}")
        rows.append([server.title, *(f"{took:.1f} s" for took in (same, changed, new))])
    header = ["database", f"{JOBS:,} jobs as before", "all schedules changed", "all jobs new"]
    return table(header, rows)


def _start(database: Database, cron: str) -> float:
    begin = time.monotonic()
    with running(OURS, database, Load(jobs=0, resting=JOBS, resting_cron=cron)) as daemon:
        took = time.monotonic() - begin
        daemon.stop()
    return took
