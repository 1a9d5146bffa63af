"""The time by which the engine lives: the database's, so that all nodes agree, carried on between
two looks at it by this machine's monotonic clock, so that no step of a clock is felt in between."""

import time
from datetime import datetime, timedelta

from django.utils import timezone

from scheduler_app.models import database

_started_at: datetime | None = None
"""What the database's clock said when this machine's monotonic clock was at 0."""


def now() -> datetime:
    """The present moment (UTC)."""
    if _started_at is None:
        return timezone.now()
    return _started_at + timedelta(seconds=time.monotonic())


def synchronise() -> timedelta:
    """Look at the database's clock; returns by how much it has moved on more than expected. A look
    that takes long leaves the engine late, never early."""
    global _started_at
    expected = now()
    moment = database.now()
    _started_at = moment - timedelta(seconds=time.monotonic())
    return now() - expected
