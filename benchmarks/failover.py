"""What a killed node costs: two nodes on one PostgreSQL, 200 jobs due every second, and of the two
the one that has taken more runs killed with SIGKILL, at different moments of the second."""

import math
import time
from collections import Counter
from dataclasses import dataclass
from tempfile import NamedTemporaryFile
from typing import Any

from benchmarks.databases import Database, Server, moment
from benchmarks.processes import OURS, Daemon, Load, running, sleep_until
from benchmarks.report import progress, table, verdict

JOBS = 200
TARGET = 1.5
MOMENTS = (0.01, 0.03, 0.05, 0.1)
"""Seconds after a full second at which a node is killed; the work is done soon after the full
second."""
BEFORE = 4
NOTICED = 16
LOST_AND_SKIPPED = (
    "Lost are runs that had begun on the killed node: their functions are not called again. "
    "Skipped are the next occurrences of the same jobs, which may not overlap: until the node is "
    "taken for dead, nobody can know that those runs have ended."
)


@dataclass(frozen=True, slots=True)
class Kill:
    """What became of all occurrences from some seconds before a kill to some after it."""

    at: float
    gap: float
    """The longest time from schedule to start, in seconds."""
    states: Counter[str]
    unaccounted: int
    """Occurrences without a row."""
    doubled: int
    """Calls of a function beyond the first, for the same occurrence; the functions count them."""

    @property
    def unmet(self) -> int:
        """Occurrences that nobody took care of, or two did."""
        never = self.states["missed"] + self.states["queued"]
        return never + abs(self.unaccounted) + self.doubled


def measure(servers: list[Server], seconds: int) -> str:
    """The section of the report. What follows each kill is watched for so many seconds, but until
    the dead node has surely been noticed: by its heartbeat, that takes up to 15 s."""
    postgres = [server for server in servers if server.title == "PostgreSQL"]
    if not postgres:
        return "Not measured: it takes a PostgreSQL."
    kills = []
    for at in MOMENTS:
        with postgres[0].fresh() as database:
            kills.append(_kill(database, at, max(seconds, NOTICED)))
        progress(f"{kills[-1]}")
    header = ["killed after", "longest gap", "missed", "skipped", "lost", "not accounted for",
              "doubled", ""]  # fmt: skip
    target = f"Target: a gap of at most {TARGET} s, none missed, none doubled."
    return f"{table(header, map(_row, kills))}\n\n{target} {LOST_AND_SKIPPED}"


def _row(kill: Kill) -> list[str]:
    missed = [f"{kill.states[state]}" for state in ("missed", "skipped", "lost")]
    met = verdict(kill.gap <= TARGET and not kill.unmet)
    others = [f"{kill.unaccounted}", f"{kill.doubled}"]
    return [f"{kill.at * 1000:.0f} ms", f"{kill.gap:.2f} s", *missed, *others, met]


def _kill(database: Database, at: float, seconds: int) -> Kill:
    with NamedTemporaryFile("r") as calls:
        load = Load(jobs=JOBS, calls=calls.name)
        with running(OURS, database, load) as one, running(OURS, database, load) as other:
            first = math.ceil(time.time()) + 2
            sleep_until(first + BEFORE - 0.5)
            victim = max(one, other, key=lambda node: _runs_of(node, database))
            sleep_until(first + BEFORE + at)
            victim.kill()
            last = first + BEFORE + seconds
            sleep_until(last + 1)
            rows = database.rows(
                "SELECT scheduled_for, state, started_at, occurrences FROM scheduler_app_jobrun "
                "WHERE job_name LIKE 'no-op-%'"
            )
        called = Counter(calls.read().splitlines())
    rows = [row for row in rows if first <= moment(row[0]) <= last]
    return _judge(at, rows, called, JOBS * (last - first + 1))


def _runs_of(node: Daemon, database: Database) -> float:
    """How many runs the node has taken so far; where one is always quicker, it takes them all."""
    return database.number(
        "SELECT count(*) FROM scheduler_app_jobrun AS run JOIN scheduler_app_node AS node "
        f"ON node.id = run.node_id WHERE node.name LIKE '%:{node.process.pid}'"
    )


def _judge(at: float, rows: list[Any], called: Counter[str], due: int) -> Kill:
    states: Counter[str] = Counter()
    for _, state, _, occurrences in rows:
        states[state] += occurrences
    return Kill(
        at,
        max(moment(started) - moment(scheduled) for scheduled, _, started, _ in rows if started),
        states,
        unaccounted=due - states.total(),
        doubled=sum(times - 1 for times in called.values()),
    )
