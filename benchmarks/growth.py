"""How the costs grow with the number of jobs and with the length of the history.

Ten jobs are due every second, whatever the number of the others. The tick's cost is what the whole
process takes of the processor in a second, those ten runs included."""

import math
import time
from dataclasses import dataclass
from statistics import median

import grpc

from benchmarks import history
from benchmarks.databases import Database, Server
from benchmarks.processes import OURS, Daemon, Load, running
from benchmarks.report import ms, progress, table, verdict
from scheduler_app.rpc.stubs import memory_pb2, memory_pb2_grpc

DUE = 10
JOBS = (10, 1_000, 10_000)
HISTORY = (0, 20_000, 1_000_000)
"""With 20,000 every job has run: a status without any last run has less to show, so that the one of
1,000,000 is compared with this."""
SETTLE = 2.0
CALLS = 5
PATIENCE = 10.0
"""Seconds after which a call is given up, as by our client."""
MARGIN = 1.5
"""How much more may still be called flat, or linear: machines are noisy."""

GRAIN = 0.01
"""Seconds that say nothing: the kernel counts processor time in hundredths."""


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
    for length in HISTORY:
        with server.fresh() as database:
            if length:
                _write_history(database, length)
            for jobs in JOBS:
                with server.copy(database) as copy:
                    costs[jobs, length] = _costs(copy, jobs, seconds)
                progress(f"{server.title}, {jobs} jobs, {length} runs: {costs[jobs, length]}")
    header = [f"{server.title}, runs in history"]
    header += [f"tick, {length:,}" for length in HISTORY]
    header += [f"status call, {length:,}" for length in HISTORY]
    rows = [_row(jobs, [costs[jobs, length] for length in HISTORY]) for jobs in JOBS]
    return f"{table([*header, 'flat in history'], rows)}\n\n{_verdict_on_jobs(costs)}"


def _write_history(database: Database, length: int) -> None:
    with running(OURS, database, Load(jobs=DUE)):
        time.sleep(SETTLE)
    history.write(database, length, deep=DUE, wide=JOBS[-1] - DUE)


def _row(jobs: int, costs: list[Costs]) -> list[str]:
    none, short, long = costs
    flat = _is_flat(none.tick, long.tick) and _is_flat(short.status, long.status)
    ticks = [f"{ms(each.tick)}/s" for each in costs]
    return [f"{jobs:,} jobs", *ticks, *(ms(each.status) for each in costs), verdict(flat)]


def _is_flat(before: float, after: float) -> bool:
    return after <= MARGIN * before + GRAIN


def _verdict_on_jobs(costs: dict[tuple[int, int], Costs]) -> str:
    few, many = costs[JOBS[1], HISTORY[2]], costs[JOBS[2], HISTORY[2]]
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
    options = [("grpc.max_receive_message_length", -1)]
    with grpc.insecure_channel(daemon.said, options) as channel:
        stub = memory_pb2_grpc.MemoryServiceStub(channel)
        _call(stub)  # reads the database's pages in
        return median(_call(stub) for _ in range(CALLS))


def _call(stub: memory_pb2_grpc.MemoryServiceStub) -> float:
    """The seconds that it took; endless if it was given up."""
    began = time.monotonic()
    try:
        stub.GetSchedulerStatus(memory_pb2.GetSchedulerStatusRequest(), timeout=PATIENCE)
    except grpc.RpcError:
        return math.inf
    return time.monotonic() - began
