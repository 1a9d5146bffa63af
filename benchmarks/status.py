"""How many calls of GetSchedulerStatus a second a scheduler answers, beside a bare gRPC server that
answers the same bytes, while the scheduler carries out up to 100 runs a second. Both are asked in
turn by the same client, which does not read what it gets.

`python -m benchmarks.status bare FILE` and `... client ADDRESS CLIENTS SECONDS` are its parts."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import grpc

from benchmarks.databases import ROOT, Server
from benchmarks.processes import OURS, Load, running
from benchmarks.report import progress, table, verdict

METHOD = "/memory.MemoryService/GetSchedulerStatus"
OPTIONS = [("grpc.max_receive_message_length", -1)]
GOAL = 0.5
JOBS, CLIENTS = (10, 1_000, 10_000), (1, 8)
MOST_RUNS = 100
SETTLED = 8
"""Seconds until a scheduler with thousands of jobs has begun to work."""


def measure(servers: list[Server], seconds: int) -> str:
    """The section of the report. Each server is asked for so many seconds, twice."""
    rows = list[list[str]]()
    for server in servers:
        for jobs in JOBS:
            rows += _measured(server, jobs, seconds)
    header = ["database", "jobs", "clients", "bare server, calls/s", "this scheduler, calls/s",
              "share", f"goal: {GOAL:.0%}"]  # fmt: skip
    return table(header, rows)


def _measured(server: Server, jobs: int, seconds: int) -> Iterator[list[str]]:
    busy = min(jobs, MOST_RUNS)
    load = Load(jobs=busy, resting=jobs - busy)
    with server.fresh() as database, running(OURS, database, load) as scheduler:
        time.sleep(SETTLED)
        with _bare(_answer(scheduler.said)) as bare:
            for clients in CLIENTS:
                rates = dict.fromkeys((bare, scheduler.said), 0.0)
                for _ in range(2):
                    for address in rates:
                        rates[address] += _rate(address, clients, seconds) / 2
                theirs, ours = rates.values()
                share = ours / theirs
                progress(f"{server.title}, {jobs} jobs, {clients} clients: {share:.0%}")
                yield [
                    server.title,
                    f"{jobs:,}",
                    str(clients),
                    f"{theirs:,.0f}",
                    f"{ours:,.0f}",
                    f"{share:.0%}",
                    verdict(share >= GOAL),
                ]


def _answer(address: str) -> bytes:
    with grpc.insecure_channel(address, OPTIONS) as channel:
        answer: bytes = _call(channel)(b"")
    return answer


def _call(channel: grpc.Channel) -> Any:
    """Return the call that sends and gets bytes."""
    any_channel: Any = channel
    return any_channel.unary_unary(METHOD)


def _rate(address: str, clients: int, seconds: int) -> float:
    command = [sys.executable, "-m", "benchmarks.status", "client", address, str(clients)]
    told = subprocess.run(
        [*command, str(seconds)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return float(told.stdout)


@contextmanager
def _bare(answer: bytes) -> Iterator[str]:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "answer"
        file.write_bytes(answer)
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.status", "bare", str(file)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()
            process.wait()


def _serve(file: str) -> None:
    answer = Path(file).read_bytes()

    def status(request: bytes, context: Any) -> bytes:
        return answer

    handler = grpc.method_handlers_generic_handler(
        "memory.MemoryService", {"GetSchedulerStatus": grpc.unary_unary_rpc_method_handler(status)}
    )
    server = grpc.server(ThreadPoolExecutor(10))
    server.add_generic_rpc_handlers((handler,))
    print(f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}", flush=True)
    server.start()
    server.wait_for_termination()


def _ask(address: str, clients: int, seconds: float) -> None:
    """Print how many calls a second were answered."""
    counts = [0] * clients
    begin = time.perf_counter()
    deadline = begin + seconds

    def ask(number: int) -> None:
        options = [*OPTIONS, ("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(address, options) as channel:
            call = _call(channel)
            while time.perf_counter() < deadline:
                call(b"", timeout=60)
                counts[number] += 1

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(sum(counts) / (time.perf_counter() - begin))


if __name__ == "__main__":
    part, *arguments = sys.argv[1:]
    if part == "bare":
        _serve(arguments[0])
    else:
        _ask(arguments[0], int(arguments[1]), float(arguments[2]))
