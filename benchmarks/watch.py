"""What 50 watchers cost a scheduler, beside 50 clients that ask for its status once a second each,
while it carries out up to 100 runs a second. Its processor time without either is taken off both.

`python -m benchmarks.watch watchers|pollers ADDRESS` is its client, until it is killed."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc

from benchmarks.databases import ROOT, Server
from benchmarks.processes import OURS, Daemon, Load, running
from benchmarks.report import ms, progress, table, verdict

SERVICE = "/memory.MemoryService"
OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
CLIENTS = 50
JOBS = (10, 1_000)
MOST_RUNS = 100
SETTLED = 8
"""Seconds until a scheduler with many jobs has begun to work."""
PARTS = ("none", "watchers", "pollers")
ROUNDS = 2


def measure(servers: list[Server], seconds: int) -> str:
    """The section of the report. Each is measured for so many seconds, twice."""
    rows = [_measured(server, jobs, seconds) for server in servers for jobs in JOBS]
    header = ["database", "jobs", "runs/s", "scheduler alone", f"{CLIENTS} watchers add",
              f"{CLIENTS} pollers add", "ratio", "goal: below 1"]  # fmt: skip
    return table(header, rows)


def _measured(server: Server, jobs: int, seconds: int) -> list[str]:
    busy = min(jobs, MOST_RUNS)
    with (
        server.fresh() as database,
        running(OURS, database, Load(jobs=busy, resting=jobs - busy)) as scheduler,
    ):
        time.sleep(SETTLED)
        costs = dict.fromkeys(PARTS, 0.0)
        for _ in range(ROUNDS):
            for part in PARTS:
                costs[part] += _cost(scheduler, part, seconds) / ROUNDS
    alone = costs["none"]
    watchers, pollers = costs["watchers"] - alone, costs["pollers"] - alone
    ratio = watchers / pollers
    progress(f"{server.title}, {jobs} jobs: {ratio:.2f}")
    told = [f"{ms(each)}/s" for each in (alone, watchers, pollers)]
    return [server.title, f"{jobs:,}", f"{busy}", *told, f"{ratio:.2f}", verdict(ratio < 1)]


def _cost(scheduler: Daemon, part: str, seconds: int) -> float:
    """Return the scheduler's processor time a second while these clients are there."""
    with _clients(part, scheduler.said):
        before = scheduler.cpu()
        time.sleep(seconds)
        return (scheduler.cpu() - before) / seconds


@contextmanager
def _clients(part: str, address: str) -> Iterator[None]:
    """All of them, each with an answer, until the end of the block."""
    if part == "none":
        yield
        return
    command = [sys.executable, "-m", "benchmarks.watch", part, address]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        if not process.stdout.readline():
            raise RuntimeError(f"the {part} have ended")
        yield
        if process.poll() is not None:
            raise RuntimeError(f"the {part} have ended")
    finally:
        process.kill()
        process.wait()


def _serve_as_clients(part: str, address: str) -> None:
    ready = threading.Barrier(CLIENTS + 1)
    client: Callable[..., None] = _watch if part == "watchers" else _poll
    for number in range(CLIENTS):
        threading.Thread(target=client, args=(address, number, ready), daemon=True).start()
    ready.wait()
    print("ready", flush=True)
    threading.Event().wait()


def _watch(address: str, _: int, ready: threading.Barrier) -> None:
    with grpc.insecure_channel(address, OPTIONS) as channel:
        any_channel: Any = channel
        answers = any_channel.unary_stream(f"{SERVICE}/WatchScheduler")(b"")
        next(answers)
        ready.wait()
        for _ in answers:
            pass


def _poll(address: str, number: int, ready: threading.Barrier) -> None:
    """Ask once a second; the clients spread over it."""
    with grpc.insecure_channel(address, OPTIONS) as channel:
        any_channel: Any = channel
        call = any_channel.unary_unary(f"{SERVICE}/GetSchedulerStatus")
        call(b"", timeout=60)
        ready.wait()
        at = time.monotonic() + number / CLIENTS
        while True:
            time.sleep(max(0.0, at - time.monotonic()))
            call(b"", timeout=60)
            at += 1.0


if __name__ == "__main__":
    _serve_as_clients(*sys.argv[1:])
