"""The one clock of a modelled world: it stands until it is moved, forwards or back."""

from datetime import UTC, datetime, timedelta

import pytest

from scheduler_app.models import Node, database
from scheduler_app.models import clock as engine_clock
from tests.harness.heartbeats import heard_at

AGES = timedelta(days=365)
HEARTBEAT = timedelta(days=50).total_seconds()
"""So that a heartbeat of today is fresh for as long as the test takes."""


class Clock:
    """Says what it was set to."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


CLOCK = Clock()


def rule_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the engine and the doors to it live by CLOCK."""
    monkeypatch.setattr(engine_clock, "now", CLOCK)
    monkeypatch.setattr(database, "now", CLOCK)


def seems_alive(node: Node, alive: bool) -> None:
    """Freshness is judged by the database's own clock, which nobody can set: move the heartbeat."""
    real_now = datetime.now(UTC)
    beat = real_now if alive else real_now - AGES
    heard_at(node, beat)
