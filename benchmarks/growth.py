"""How the costs grow with the number of jobs and with the length of the history.

Ten jobs are due every second, whatever the number of the others. The tick's cost is what the whole
process takes of the processor in a second, those ten runs included."""

import math
import time
from dataclasses import dataclass
from statistics import median

from benchmarks import history
from benchmarks.databases import Database, Server
from benchmarks.processes import OURS, Daemon, Load, running
from benchmarks.report import ms, progress, table, verdict
from scheduler_app.exceptions import SchedulerError
from scheduler_app.rpc.client import Client

DUE = 10
JOBS = (10, 1_000, 10_000)
HISTORY = 1_000_000
SETTLE = 2.5
CALLS = 5
MARGIN = 1.5
"""How much more may still be called flat, or linear: machines are noisy."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Of one scheduler, in seconds."""

    tick: float
    """Processor time a second."""
    status: float
    """The median time of a status call over gRPC."""


def measure(servers: list[Server], seconds: int) -> str:
    """The section of the report. Each tick is measured for so many seconds."""
    return "\n\n".join(_of_server(server, seconds) for server in servers)


def _of_server(server: Server, seconds: int) -> str:
    costs = {}
    with server.fresh() as long:
        _write_history(long)
        for jobs in JOBS:
            with server.fresh() as short, server.copy(long) as copy:
                costs[jobs, 0] = _costs(short, jobs, seconds)
                costs[jobs, HISTORY] = _costs(copy, jobs, seconds)
            progress(f"{server.title}, {jobs} jobs: {costs[jobs, 0]}, {costs[jobs, HISTORY]}")
    rows = [_row(jobs, costs[jobs, 0], costs[jobs, HISTORY]) for jobs in JOBS]
    header = [server.title, "tick", f"tick, {HISTORY:,} runs"]
    header += ["status call", f"status call, {HISTORY:,} runs", "flat in history"]
    return f"{table(header, rows)}\n\n{_verdict_on_jobs(costs)}"


def _write_history(database: Database) -> None:
    with running(OURS, database, Load(jobs=DUE)):
        time.sleep(SETTLE)
    history.write(database, HISTORY, deep=DUE, wide=JOBS[-1] - DUE)


def _row(jobs: int, before: Costs, after: Costs) -> list[str]:
    flat = after.tick <= MARGIN * before.tick and after.status <= MARGIN * before.status
    return [
        f"{jobs:,} jobs",
        f"{ms(before.tick)}/s",
        f"{ms(after.tick)}/s",
        ms(before.status),
        ms(after.status),
        verdict(flat),
    ]


def _verdict_on_jobs(costs: dict[tuple[int, int], Costs]) -> str:
    few, many = costs[JOBS[1], HISTORY], costs[JOBS[2], HISTORY]
    longest = MARGIN * JOBS[2] / JOBS[1]
    linear = many.tick <= longest * few.tick and many.status <= longest * few.status
    return f"Target: linear at worst in jobs, from {JOBS[1]:,} to {JOBS[2]:,}: {verdict(linear)}."


def _costs(database: Database, jobs: int, seconds: int) -> Costs:
    with running(OURS, database, Load(jobs=DUE, resting=jobs - DUE)) as daemon:
        time.sleep(SETTLE)
        cpu = daemon.cpu()
        time.sleep(seconds)
        tick = (daemon.cpu() - cpu) / seconds
        return Costs(tick, _status(daemon))


def _status(daemon: Daemon) -> float:
    with Client(daemon.said) as client:
        return median(_call(client) for _ in range(CALLS))


def _call(client: Client) -> float:
    """The seconds that it took; endless if it was given up."""
    began = time.monotonic()
    try:
        client.status()
    except SchedulerError:
        return math.inf
    return time.monotonic() - began
