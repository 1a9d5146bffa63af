"""A registry and a node of the test's own."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scheduler_app.engine import sync
from scheduler_app.engine.claim import Claimer
from scheduler_app.engine.releases import declarations
from scheduler_app.engine.sync import Changes
from scheduler_app.models import Job, Node, clock, database
from scheduler_app.registry import Registry, job

T0 = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
"""A Monday noon. The declared jobs of these tests enter the database one minute before it."""

SetClock = Callable[[datetime], None]


def eventually(happens: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def counted(counter: str) -> int:
    """The only job's counter."""
    total: int = getattr(Job.objects.counted().get(), f"total_{counter}")
    return total


def nothing() -> None:
    """Do nothing."""


def sync_jobs(registry: Registry, now: datetime) -> Changes:
    """Bring the jobs of this registry into the database, as if no other code lived."""
    declared = declarations(registry)
    return sync.mend(list(declared), declared, now)


def mark_orphans(now: datetime) -> list[str]:
    """Mark the jobs that no living node declares."""
    declared = {name for node in Node.objects.alive() for name in node.declares}
    names = Job.objects.declared().values_list("name", flat=True)
    return sync.orphan(sorted(set(names) - declared), now).orphaned


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.fixture
def declare(registry: Registry) -> Callable[..., None]:
    """Declare a job in the test's registry, at every full minute unless told otherwise."""

    def _declare(name: str, function: Callable[..., Any] = nothing, **options: Any) -> None:
        options = {"cron": "* * * * *", "timezone": "UTC"} | options
        job(name=name, registry=registry, **options)(function)
        assert not registry.problems

    return _declare


@pytest.fixture
def early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have an audit take place before any job is overdue."""
    monkeypatch.setattr(database, "now", lambda: T0 - timedelta(days=10))


@pytest.fixture
def node(db: None) -> Node:
    return Node.objects.create(name="here:1")


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """Have the engine, and people's actions, happen at this moment. Only heartbeats, which the
    database writes and compares itself, go by the real time."""
    known = clock._started_at  # a scheduler that starts looks at the clock anew
    monkeypatch.setattr(clock, "_started_at", known)

    def _set_clock(moment: datetime) -> None:
        monkeypatch.setattr(clock, "now", lambda: moment)
        monkeypatch.setattr(database, "now", lambda: moment)

    return _set_clock


@pytest.fixture
def start(registry: Registry, node: Node, set_clock: SetClock) -> Callable[..., Claimer]:
    """Bring the declared jobs into the database and return a claimer for them. The clock stands at
    that moment, so that no test does more work, or other work, the later it runs."""

    def _start(at: datetime = T0 - timedelta(minutes=1), **options: Any) -> Claimer:
        set_clock(at)
        node.declares = registry.names
        node.save()
        sync_jobs(registry, at)
        return Claimer(node, registry, **options)

    return _start
