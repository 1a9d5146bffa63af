"""A transaction that waits for a lock holds none that is later in the order of locks."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from scheduler_app import control, jobs
from scheduler_app.control import Actor
from scheduler_app.engine import liveness
from scheduler_app.engine.claim import Claimer
from scheduler_app.engine.recorder import record
from scheduler_app.engine.unheld import UNHELD, UnheldRuns
from scheduler_app.ledger import counters
from scheduler_app.models import JobRun, Node, RunState, Surface
from scheduler_app.registry import JobContext, Registry, job
from tests.engine.conftest import T0, SetClock, mark_orphans, nothing, sync_jobs
from tests.explain.conftest import begin
from tests.harness.heartbeats import close_dead_nodes, silent_for

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one lock, for all of it"),
]
ORDER = ["django_apscheduler_djangojob", "scheduler_app_jobrun", "scheduler_app_job"]
"""As scheduler_app.ledger says."""
WRITES = re.compile(r'(?:^|\b(?:AS|\)) *\(?)(?:UPDATE|DELETE FROM) "?(\w+)', re.IGNORECASE)
READS = re.compile(r'\bFROM "?(\w+)', re.IGNORECASE)
ADA = Actor("ada", Surface.CODE)
MINUTE = timedelta(minutes=1)
OPTIONS: dict[str, dict[str, Any]] = {
    "all": {"overlap": "allow", "catch_up": "all"},
    "cancel": {"overlap": "cancel_previous"},
    "queue": {"overlap": "queue", "retries": 2, "retry_delay": 1},
    "skip": {"overlap": "skip", "jitter": 30},
}
Declare = Callable[..., None]
Start = Callable[..., Claimer]


class Locks:
    """Notes in which order each transaction takes rows of these tables."""

    def __init__(self) -> None:
        self._held: list[str] = []
        self.taken = 0
        self.wrong: list[str] = []
        self.doing = ""

    def execute(self, execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        locked = READS.findall(sql)[:1] if "FOR UPDATE" in sql else []
        for table in [*locked, *WRITES.findall(sql)]:
            self._take(table, "SKIP LOCKED" not in sql, sql)
        if not connection.in_atomic_block:
            self.end()
        return execute(sql, *rest)

    def end(self, *_: object) -> None:
        self._held.clear()

    def _take(self, table: str, waits: bool, sql: str) -> None:
        if table not in ORDER or table in self._held:
            return
        after = [held for held in self._held if ORDER.index(held) > ORDER.index(table)]
        if after and waits:
            self.wrong.append(f"{self.doing}: waits for {table} with {after} in hand: {sql[:200]}")
        self._held.append(table)
        self.taken += 1


@pytest.fixture
def locks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Locks]:
    locks = Locks()
    for name in ("_commit", "_rollback"):
        before = getattr(BaseDatabaseWrapper, name)

        def ending(wrapper: Any, before: Callable[[Any], Any] = before) -> Any:
            locks.end()
            return before(wrapper)

        monkeypatch.setattr(BaseDatabaseWrapper, name, ending)
        monkeypatch.delitem(vars(connections["default"]), name, raising=False)
    with connection.execute_wrapper(locks.execute):
        yield locks


def release(**crons: str) -> Registry:
    """The code of a new release, in which these jobs have these schedules."""
    registry = Registry()
    for name, options in OPTIONS.items():
        cron = crons.get(name, "* * * * *")
        job(name=name, cron=cron, timezone="UTC", registry=registry, **options)(nothing)
    assert not registry.problems
    return registry


def end(runs: list[JobRun], state: RunState) -> None:
    begin(runs, T0)
    for run in runs:
        run.state, run.finished_at = state, T0
    record([], runs)


def test_waiting_transaction_holds_no_later_lock(
    declare: Declare, start: Start, set_clock: SetClock, node: Node, locks: Locks
) -> None:
    names = list(OPTIONS)
    for name, options in OPTIONS.items():
        declare(name, **options)

    @contextmanager
    def doing(what: str, least: int = 1) -> Iterator[None]:
        before, locks.doing = locks.taken, what
        yield
        assert locks.taken >= before + least, f"{what} takes no lock: the test has lost its way"

    def act(action: Callable[..., Any], *arguments: Any) -> None:
        with doing(action.__name__, 2 if arguments else 1):
            action(*arguments, by=ADA)

    claimer = start()
    with doing("claim"):
        first = claimer.claim(T0)
    with doing("start"):
        begin(first, T0)
    with doing("claim beside running runs", 2):
        second = claimer.claim(T0 + MINUTE)
    with doing("record failures"):
        end(first, RunState.FAILED)
    with doing("record successes"):
        end(second, RunState.SUCCESS)
    with doing("pick up"):
        third = claimer.claim(T0 + 2 * MINUTE)
    with doing("fold"):
        counters.fold()
    set_clock(T0 + 3.5 * MINUTE)
    act(control.pause_many, names)
    act(control.resume_many, names)
    with doing("trigger_many"):
        control.trigger_many(names, by=ADA)
    queued = list(JobRun.objects.queued().values_list("pk", flat=True))
    with doing("cancel_many"):
        control.cancel_many([*queued, *(run.pk for run in third)], by=ADA)
    with doing("deploy", 2):
        sync_jobs(release(all="*/5 * * * *", skip="30 * * * *"), T0 + 4 * MINUTE)
    with doing("deploy back", 2):
        sync_jobs(release(), T0 + 5 * MINUTE)
    fourth = claimer.claim(T0 + 6 * MINUTE)
    begin(fourth, T0 + 6 * MINUTE)
    with doing("close what nobody holds"):
        unheld = UnheldRuns(0, UNHELD)
        unheld.close([fourth[0].pk], (), T0 + 6 * MINUTE)
    with doing("close a dead node"):
        silent_for(node, 60)
        assert close_dead_nodes() == 1
    begin(claimer.claim(T0 + 7 * MINUTE), T0 + 7 * MINUTE)  # it was frozen in the midst of a claim
    with doing("take from a stopped node"):
        liveness.take_from_stopped_nodes(timezone.now())
    with doing("orphan", 2):
        Node.objects.update(declares=[])
        mark_orphans(T0 + 8 * MINUTE)
    with doing("declare again", 2):
        sync_jobs(release(), T0 + 9 * MINUTE)
    long_ago = T0 - timedelta(days=90)
    for minute in range(20):
        at = long_ago + minute * MINUTE
        JobRun.objects.create(
            job_name="all", scheduled_for=at, due_at=at, state=RunState.SUCCESS, started_at=at,
            finished_at=at,
        )  # fmt: skip
    with doing("prune"):
        jobs.prune_run_history(JobContext(job_name="prune", run_id=1, scheduled_for=T0))
    assert locks.wrong == []
