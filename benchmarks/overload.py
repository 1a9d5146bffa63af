"""What is left of the throughput when several times as much is due as the scheduler sustains, and
how long it takes until nothing is late any more."""

import time

from benchmarks import throughput
from benchmarks.databases import Database, Server, moment
from benchmarks.processes import OURS, Load, running, sleep_until
from benchmarks.report import progress, table, verdict

TIMES = (3, 5)
TARGET = 0.9
WARM_UP = 15
"""Seconds, in which each job runs once and more: as with what is sustained, it is known how long
they take."""
BASE = 10
"""Jobs of every second, whose lateness tells when all is as before."""
NORMAL = 0.5
"""Seconds: a run that begins sooner is not late."""
PATIENCE = 60.0


def measure(servers: list[Server], seconds: int) -> str:
    """The section of the report. More than is sustained is due for so many seconds."""
    header = ["database", "due", "runs/s", "of what is sustained", f"target: {TARGET:.0%}",
              "normal again after"]  # fmt: skip
    rows = []
    for server in servers:
        sustained = throughput.sustained(server, seconds)
        for times in TIMES:
            due = round(times * sustained.rate)
            with server.fresh() as database:
                trial = throughput.attempt(OURS, database, due, seconds, WARM_UP)
            with server.fresh() as database:
                after = _recovery(database, due, seconds)
            share = trial.rate / sustained.rate
            progress(f"{server.title}, {times} times: {trial}, normal after {after:.1f} s")
            cells = [f"{trial.rate:,.0f}", f"{share:.0%}", verdict(share >= TARGET)]
            rows.append([server.title, f"{times} times", *cells, f"{after:.1f} s"])
    return table(header, rows)


def _recovery(database: Database, due: int, seconds: int) -> float:
    """Seconds from the last moment at which so many jobs were due every second, with the default
    policies, until the jobs beside them begin on time again."""
    first = int(time.time()) + 15 + due // 500  # the scheduler has started by then
    if first % 60 > 60 - seconds:
        first += 60 - first % 60  # within one minute
    surge = f"{first % 60}-{first % 60 + seconds - 1} * * * * *"
    load = Load(jobs=BASE, surging=due, surge=surge)
    with running(OURS, database, load):
        end = first + seconds - 1
        sleep_until(end + 1)
        while time.time() < end + PATIENCE and _is_late(database):
            time.sleep(0.2)
        return time.time() - end


def _is_late(database: Database) -> bool:
    """Whether anything waits, or one of the latest runs of the jobs beside it began late."""
    waiting = database.number("SELECT count(*) FROM scheduler_app_jobrun WHERE state = 'queued'")
    late = database.rows(
        "SELECT due_at, started_at FROM scheduler_app_jobrun WHERE job_name LIKE 'no-op-%' "
        f"AND started_at IS NOT NULL ORDER BY id DESC LIMIT {BASE}"
    )
    return waiting > 0 or any(moment(start) - moment(due) > NORMAL for due, start in late)
