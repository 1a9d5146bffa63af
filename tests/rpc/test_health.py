"""Health is true to a few seconds, whatever the database does."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import Mock

import pytest
from django.db import OperationalError
from django.utils import timezone
from grpc_health.v1 import health_pb2

from scheduler_app import status
from scheduler_app.models import Node
from scheduler_app.rpc import health
from scheduler_app.rpc.health import NOT_SERVING, SERVING, HealthReporter
from tests.engine.conftest import eventually
from tests.harness.heartbeats import heard_at

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def reporting(look: object = status.scheduler_running) -> Iterator[HealthReporter]:
    reporter = HealthReporter(("",), look)  # type: ignore[arg-type]
    reporter.start()
    try:
        yield reporter
    finally:
        reporter.stop()


def state(reporter: HealthReporter) -> int:
    answer = reporter.servicer.Check(health_pb2.HealthCheckRequest(service=""), Mock())
    return int(answer.status)


def test_scheduler_that_does_not_work_is_not_serving() -> None:
    node = Node.objects.create(name="here:1")
    with reporting() as reporter:
        eventually(lambda: state(reporter) == SERVING)
        heard_at(node, timezone.now(), problem="every claim fails", problem_since=timezone.now())
        eventually(lambda: state(reporter) == NOT_SERVING)


def test_look_that_hangs_is_not_serving(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "LONGEST_LOOK", 0.5)
    monkeypatch.setattr(health, "INTERVAL", 0.2)
    hangs, release = threading.Event(), threading.Event()

    def look() -> bool:
        if hangs.is_set():
            release.wait()
        return True

    with reporting(look) as reporter:
        eventually(lambda: state(reporter) == SERVING)
        hangs.set()
        eventually(lambda: state(reporter) == NOT_SERVING)
        hangs.clear()
        release.set()
        eventually(lambda: state(reporter) == SERVING)


@pytest.mark.parametrize("error", [OperationalError("away"), SystemExit(1)])
def test_look_that_raises_is_not_serving(
    error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "INTERVAL", 0.1)
    answers: list[BaseException | None] = [None]

    def look() -> bool:
        if answers[0]:
            raise answers[0]
        return True

    with reporting(look) as reporter:
        eventually(lambda: state(reporter) == SERVING)
        answers[0] = error
        eventually(lambda: state(reporter) == NOT_SERVING)
        answers[0] = None
        eventually(lambda: state(reporter) == SERVING)


def test_stopped_reporter_is_not_serving() -> None:
    Node.objects.create(name="here:1")
    with reporting() as reporter:
        eventually(lambda: state(reporter) == SERVING)
    assert state(reporter) == NOT_SERVING
