"""How fast a backlog drains: runs of one job that may not overlap, which wait when the scheduler
starts, beside a job of every second.

Beside it as many runs, each of a job of its own, carried out one at a time: what the same runs
take when each is due by itself."""

import time
from dataclasses import dataclass

from benchmarks.databases import Database, Server, moment
from benchmarks.processes import OURS, Load, running
from benchmarks.report import ms, progress, table, verdict

WAITING = 2_000
SHARE = 1 / 3
BESIDE = "no-op-0"


@dataclass(frozen=True, slots=True)
class Drain:
    rate: float
    """Runs a second."""
    latest: float
    """The greatest lateness, in seconds, of the job beside it."""
    skipped: int
    """How many of its occurrences did not run."""


def measure(servers: list[Server], seconds: int) -> str:
    """The section of the report. Each backlog is watched for three times so many seconds."""
    header = ["database", "backlog of one job", "as many jobs, one at a time", "latest beside it",
              "skipped beside it", f"target: at least {SHARE:.0%}"]  # fmt: skip
    rows = []
    for server in servers:
        with server.fresh() as database:
            one = _drain(database, "'rest-0'", Load(jobs=1, resting=1), seconds)
        with server.fresh() as database:
            load = Load(jobs=1, resting=WAITING, slots=1)
            many = _drain(database, "'rest-' || CAST(n - 1 AS text)", load, seconds)
        progress(f"{server.title}: {one}, {many}")
        met = verdict(one.rate >= SHARE * many.rate and not one.skipped)
        rates = [f"{one.rate:,.0f} runs/s", f"{many.rate:,.0f} runs/s"]
        rows.append([server.title, *rates, ms(one.latest), str(one.skipped), met])
    return table(header, rows)


def _drain(database: Database, names: str, load: Load, seconds: int) -> Drain:
    database.rows(_insertion(database, names))
    left = "SELECT count(*) FROM scheduler_app_jobrun WHERE job_name LIKE 'rest-%' AND state = "
    with running(OURS, database, load):
        deadline = time.time() + 3 * seconds
        while database.number(f"{left}'queued'") and time.time() < deadline:
            time.sleep(0.2)
        time.sleep(1)
        done = database.rows(
            "SELECT started_at, finished_at FROM scheduler_app_jobrun "
            "WHERE job_name LIKE 'rest-%' AND state = 'success'"
        )
        beside = database.rows(
            "SELECT due_at, started_at, state FROM scheduler_app_jobrun "
            f"WHERE job_name = '{BESIDE}' AND state <> 'missed'"
        )
    took = max(moment(end) for _, end in done) - min(moment(start) for start, _ in done)
    late = [moment(start) - moment(due) for due, start, _ in beside if start]
    return Drain(len(done) / took, max(late), sum(state == "skipped" for *_, state in beside))


def _insertion(database: Database, names: str) -> str:
    columns = (
        "job_name, trigger, scheduled_for, due_at, created_at, occurrences, attempt, state, "
        "requested_by, cancel_reason, message, traceback, log, metadata"
    )
    if database.url.startswith("sqlite"):
        numbers = (
            "(WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < "
            f"{WAITING}) SELECT n FROM numbers) AS numbers"
        )
        at = "strftime('%Y-%m-%d %H:%M:%f000', 'now', '-1 hour', n || ' seconds')"
    else:
        numbers = f"generate_series(1, {WAITING}) AS numbers(n)"
        at = "now() - interval '1 hour' + n * interval '1 second'"
    return (
        f"INSERT INTO scheduler_app_jobrun ({columns}) SELECT {names}, 'schedule', {at}, {at}, "
        f"{at}, 1, 1, 'queued', '', '', '', '', '', '{{}}' FROM {numbers}"
    )
