"""What a claim costs when many jobs are due in it: with and without jitter, and after two days in
which no scheduler ran.

`python -m benchmarks.claims` makes the claims in the database of its environment, in one process
and without carrying anything out, and writes a line of JSON for each."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from benchmarks.databases import ROOT, Database, Server
from benchmarks.processes import Load
from benchmarks.report import ms, progress, table

JOBS = 1_000
JOBS_AFTER_TWO_DAYS = 300
JITTER = 30


@dataclass(frozen=True, slots=True)
class Cost:
    """Of all claims that it takes until nothing is due."""

    claims: int
    queries: int
    """Of the first claim."""
    longest: float
    """Seconds of the longest claim."""
    total: float


def measure(servers: list[Server], seconds: int) -> str:
    """The section of the report."""
    header = ["due together", "database", "claims", "queries of the first", "longest", "all"]
    rows = []
    for server in servers:
        for title, load, days in (
            (f"{JOBS:,} jobs", Load(jobs=JOBS, every=60), 0),
            (f"{JOBS:,} jobs with jitter", Load(jobs=JOBS, every=60, jitter=JITTER), 0),
            (
                f"{JOBS_AFTER_TWO_DAYS} jobs with jitter, two days later",
                Load(jobs=JOBS_AFTER_TWO_DAYS, every=60, jitter=JITTER),
                2,
            ),
        ):
            with server.fresh() as database:
                cost = _of(database, load, days)
            progress(f"{title}, {server.title}: {cost}")
            cells = [str(cost.claims), str(cost.queries), ms(cost.longest), ms(cost.total)]
            rows.append([title, server.title, *cells])
    return table(header, rows)


def _of(database: Database, load: Load, days: int) -> Cost:
    environment = database.environment | load.environment | {"BENCH_DAYS": str(days)}
    command = [sys.executable, "-m", "benchmarks.claims"]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    import django

    django.setup()
    from scheduler_app.engine.claim import Claimer
    from scheduler_app.engine.reconcile import Reconciler
    from scheduler_app.engine.releases import register
    from scheduler_app.models import Node, clock, database
    from scheduler_app.registry import registry

    database.serve_engine()
    node = register("benchmark", registry)
    Reconciler(registry).reconcile(node, Node.objects.liveness(), clock.now())
    now = _next_minute(clock.now()) + timedelta(
        days=int(os.environ["BENCH_DAYS"]), seconds=JITTER + 1
    )
    claimer = Claimer(node, registry, after_stop=True)
    claims = list(_claims(claimer.claim, now))
    cost = Cost(
        claims=len(claims),
        queries=claims[0][1],
        longest=max(took for took, _ in claims),
        total=sum(took for took, _ in claims),
    )
    print(json.dumps(asdict(cost)))


def _claims(claim: "object", now: datetime) -> Iterator[tuple[float, int]]:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from scheduler_app.ledger import timetable

    assert callable(claim)
    while (due := timetable.next_due()) is not None and due <= now:
        with CaptureQueriesContext(connection) as queries:
            begin = time.perf_counter()
            claim(now)
            yield time.perf_counter() - begin, len(queries)


def _next_minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0) + timedelta(minutes=1)


if __name__ == "__main__":
    main()
