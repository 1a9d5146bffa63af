"""The engine's time: the database's, carried on by a clock that nobody steps."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from scheduler_app.models import clock, database

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def unsynchronised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "_started_at", None)


def test_time_is_that_of_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "now", lambda: NOON)
    clock.synchronise()
    assert timedelta() <= clock.now() - NOON < timedelta(seconds=5)


def test_step_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([NOON, NOON + timedelta(hours=1), NOON + timedelta(hours=1)])
    monkeypatch.setattr(database, "now", lambda: next(moments))
    clock.synchronise()
    assert timedelta(minutes=59) < clock.synchronise() <= timedelta(hours=1)
    assert abs(clock.synchronise()) < timedelta(seconds=5)


def test_slow_look_does_not_make_the_engine_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monotonic = [100.0]

    def slow() -> datetime:
        monotonic[0] += 20
        return NOON

    monkeypatch.setattr(time, "monotonic", lambda: monotonic[0])
    monkeypatch.setattr(database, "now", slow)
    clock.synchronise()
    assert clock.now() == NOON


@pytest.mark.django_db
def test_database_tells_the_time() -> None:
    assert abs(database.now() - datetime.now(UTC)) < timedelta(minutes=1)
