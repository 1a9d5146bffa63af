"""What a killed node costs: two nodes on one PostgreSQL, 200 jobs due every second, one node
killed with SIGKILL at different moments of the second."""

import math
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from benchmarks.databases import Database, Server, moment
from benchmarks.processes import OURS, Load, running, sleep_until
from benchmarks.report import progress, table, verdict

JOBS = 200
TARGET = 1.5
MOMENTS = (0.03, 0.1, 0.6)
"""Seconds after a full second at which a node is killed; the work is done soon after the full
second."""
BEFORE = 4


@dataclass(frozen=True, slots=True)
class Kill:
    """What became of all occurrences from some seconds before a kill to some after it."""

    at: float
    gap: float
    """The longest time from schedule to start, in seconds."""
    states: Counter[str]
    unaccounted: int
    doubled: int

    @property
    def unmet(self) -> int:
        """Occurrences that no run has begun for, or that were begun twice."""
        never = sum(self.states[state] for state in ("missed", "skipped", "queued"))
        return never + self.unaccounted + self.doubled


def measure(servers: list[Server], seconds: int) -> str:
    """The section of the report. What follows each kill is watched for so many seconds."""
    postgres = [server for server in servers if server.title == "PostgreSQL"]
    if not postgres:
        return "Not measured: it takes a PostgreSQL."
    kills = []
    for at in MOMENTS:
        with postgres[0].fresh() as database:
            kills.append(_kill(database, at, seconds))
        progress(f"{kills[-1]}")
    header = ["killed after", "longest gap", "missed", "skipped", "lost", "not accounted for",
              "doubled", ""]  # fmt: skip
    return f"{table(header, map(_row, kills))}\n\nTarget: a gap of at most {TARGET} s, none missed, none doubled. Lost are runs that were going on the killed node."  # noqa: E501


def _row(kill: Kill) -> list[str]:
    missed = [f"{kill.states[state]}" for state in ("missed", "skipped", "lost")]
    met = verdict(kill.gap <= TARGET and not kill.unmet)
    others = [f"{kill.unaccounted}", f"{kill.doubled}"]
    return [f"{kill.at * 1000:.0f} ms", f"{kill.gap:.2f} s", *missed, *others, met]


def _kill(database: Database, at: float, seconds: int) -> Kill:
    load = Load(jobs=JOBS)
    with running(OURS, database, load), running(OURS, database, load) as victim:
        first = math.ceil(time.time()) + 2
        sleep_until(first + BEFORE + at)
        victim.kill()
        last = first + BEFORE + seconds
        sleep_until(last + 1)
        rows = database.rows(
            "SELECT job_name, scheduled_for, state, started_at, occurrences, first_scheduled_for "
            "FROM scheduler_app_jobrun WHERE job_name LIKE 'no-op-%'"
        )
    return _judge(at, [row for row in rows if first <= moment(row[1]) <= last], last - first + 1)


def _judge(at: float, rows: list[Any], seconds: int) -> Kill:
    begun = [(name, due, started) for name, due, _, started, *_ in rows if started]
    states: Counter[str] = Counter()
    for _, _, state, _, occurrences, _ in rows:
        states[state] += occurrences
    times = Counter((name, due) for name, due, _ in begun)
    return Kill(
        at,
        max(moment(started) - moment(due) for _, due, started in begun),
        states,
        unaccounted=max(0, JOBS * seconds - states.total()),
        doubled=sum(count - 1 for count in times.values()),
    )
