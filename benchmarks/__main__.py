"""python -m benchmarks [PART ...] [--database sqlite|postgres|both] [--seconds N]"""

import os
import tempfile
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks import (
    backlog,
    changes,
    claims,
    failover,
    growth,
    idle,
    lateness,
    limit,
    overload,
    status,
    throughput,
    watch,
)
from benchmarks.databases import Postgres, Server, SQLite
from benchmarks.report import machine, progress

Part = Callable[[list[Server], int], str]
PARTS: dict[str, tuple[Part, int]] = {
    "throughput": (throughput.measure, 8),
    "limit": (limit.measure, 8),
    "overload": (overload.measure, 8),
    "lateness": (lateness.measure, 10),
    "backlog": (backlog.measure, 20),
    "claims": (claims.measure, 1),
    "changes": (changes.measure, 1),
    "failover": (failover.measure, 20),
    "growth": (growth.measure, 5),
    "idle": (idle.measure, 60),
    "status": (status.measure, 3),
    "watch": (watch.measure, 10),
}
"""Each part, and how many seconds one of its measurements takes."""


def main() -> None:
    parser = ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"Of {', '.join(PARTS)}.")
    parser.add_argument("--database", choices=["sqlite", "postgres", "both"], default="both")
    parser.add_argument("--seconds", type=int, help="How long each single measurement is to take.")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    with _servers(options.database) as servers:
        print(f"Measured on: {machine(servers)}.")
        for name in options.parts or PARTS:
            progress(name)
            measure, seconds = PARTS[name]
            section = measure(servers, options.seconds or seconds)
            print(f"\n### {name.capitalize()}\n\n{section}", flush=True)


@contextmanager
def _servers(chosen: str) -> Iterator[list[Server]]:
    with ExitStack() as stack:
        servers: list[Server] = []
        if chosen != "postgres":
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            servers.append(SQLite(Path(folder)))
        if chosen != "sqlite":
            servers += _postgres(stack)
        yield servers


def _postgres(stack: ExitStack) -> list[Server]:
    url = os.environ.get("TEST_POSTGRES_URL", "")
    postgres = Postgres(url)
    if not (url and postgres.answers()):
        progress("TEST_POSTGRES_URL names no PostgreSQL that answers: measured without it")
        return []
    stack.callback(postgres.close)
    return [postgres]


if __name__ == "__main__":
    main()
