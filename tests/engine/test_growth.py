"""What is asked again and again costs the same however long the history is."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from scheduler_app import status
from scheduler_app.engine import liveness
from scheduler_app.engine.claim import Claimer
from scheduler_app.engine.recorder import record
from scheduler_app.engine.scheduler import Scheduler
from scheduler_app.models import JobRun, RunState
from scheduler_app.registry import Registry
from tests.engine.conftest import T0

pytestmark = pytest.mark.skipif(
    connection.vendor != "sqlite", reason="SQLite alone tells by the statement whether it scans"
)
Declare = Callable[..., None]
Start = Callable[..., Claimer]
Plans = list[str]


@contextmanager
def plans() -> Iterator[Plans]:
    """How SQLite carries out each query made meanwhile, its parameters bound as they were."""
    found: Plans = []
    explaining = False

    def explain(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal explaining
        if not explaining and not many and sql.startswith(("SELECT", "UPDATE", "DELETE")):
            explaining = True
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN QUERY PLAN {sql}", params)
                found.extend(f"{row[3]}: {sql}" for row in cursor.fetchall())
            explaining = False
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        yield found


def scans(found: Plans) -> Plans:
    """Those that read every run there is."""
    return [
        plan
        for plan in found
        if "SCAN scheduler_app_jobrun" in plan and "USING INDEX run_" not in plan.split(":")[0]
    ]


@pytest.mark.django_db
def test_tick_reads_no_history(declare: Declare, start: Start) -> None:
    declare("a", overlap="queue")
    declare("b", overlap="allow")
    claimer = start(after_stop=True)
    with plans() as found:
        runs = claimer.claim(T0)
        claimer.claim(T0 + timedelta(minutes=1))
        record(runs, [])
        for run in runs:
            run.started_at = run.finished_at = T0
            run.state = RunState.SUCCESS
        record([], runs)
        claimer.claim(T0 + timedelta(minutes=1))
        liveness.take_from_stopped_nodes(T0)
    assert len(found) > 20
    assert scans(found) == []


@pytest.mark.django_db
def test_status_reads_no_history(declare: Declare, start: Start) -> None:
    declare("a")
    start()
    with plans() as found:
        status.scheduler_status()
    assert len(found) > 3
    assert scans(found) == []


@pytest.mark.django_db(transaction=True)
def test_checks_of_an_idle_scheduler_read_no_history(registry: Registry) -> None:
    scheduler = Scheduler(registry)
    scheduler.start()
    try:
        with plans() as found:
            scheduler.liveness.judge_from(0.0)
            scheduler.liveness.beat()
            scheduler.liveness.look()
            scheduler.hurry()
            scheduler.tick()
    finally:
        scheduler.stop()
    assert found
    assert scans(found) == []


@pytest.mark.django_db
def test_scan_would_be_seen() -> None:
    with plans() as found:
        list(JobRun.objects.filter(message="x"))
    assert scans(found)
