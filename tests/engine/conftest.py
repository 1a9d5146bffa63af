"""A registry and a node of the test's own."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scheduler_app.engine import sync
from scheduler_app.engine.claim import Claimer
from scheduler_app.models import Job, Node
from scheduler_app.registry import Registry, job

T0 = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
"""A Monday noon. The declared jobs of these tests enter the database one minute before it."""


def eventually(happens: Callable[[], object], seconds: float = 10) -> None:
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
def node(db: None) -> Node:
    return Node.objects.create(name="here:1")


@pytest.fixture
def start(registry: Registry, node: Node) -> Callable[..., Claimer]:
    """Bring the declared jobs into the database and return a claimer for them."""

    def _start(at: datetime = T0 - timedelta(minutes=1), **options: Any) -> Claimer:
        node.declares = registry.names
        node.save()
        sync.sync_jobs(registry, at)
        return Claimer(node, registry, **options)

    return _start
