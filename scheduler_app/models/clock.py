"""The time by which the engine lives: the database's, so that all nodes agree, carried on between
two looks at it by this machine's monotonic clock, so that no step of a clock is felt in between."""

import time
from datetime import datetime, timedelta

from django.utils import timezone

from scheduler_app.models import database

_started_at: datetime | None = None
"""What the database's clock said when this machine's monotonic clock was at 0."""

LONGEST_LOOK = 1.0
"""Seconds. A look at the clock that took longer does not tell the time."""


def now() -> datetime:
    """The present moment (UTC)."""
    if _started_at is None:
        return timezone.now()
    return _started_at + timedelta(seconds=time.monotonic())


def synchronise() -> timedelta:
    """Look at the database's clock; returns by how much it has moved on more than expected. A look
    that takes long leaves the engine late, never early; once the time is known, it changes
    nothing: when the answer was given is not known."""
    global _started_at
    asked = time.monotonic()
    moment = database.now()
    answered = time.monotonic()
    if _started_at is not None and answered - asked > LONGEST_LOOK:
        return timedelta()
    expected = now()
    _started_at = moment - timedelta(seconds=time.monotonic())
    return now() - expected
