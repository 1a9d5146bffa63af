"""The engine's clock: the database's, so that all nodes agree. Between two looks at it this
machine's monotonic clock counts, so that no step of a clock has an effect in between."""

import time
from datetime import datetime, timedelta

from django.utils import timezone

from scheduler_app.models import database

_started_at: datetime | None = None
"""What the database's clock said when this machine's monotonic clock was at 0."""

LONGEST_LOOK = 1.0
"""Seconds. A look at the clock that takes longer is ignored once the time is known."""


def now() -> datetime:
    """Return the present moment (UTC)."""
    if _started_at is None:
        return timezone.now()
    return _started_at + timedelta(seconds=time.monotonic())


def synchronise() -> timedelta:
    """Look at the database's clock; return how much further it has moved than expected. A slow look
    leaves the engine's clock late, never early; once the time is known, a look slower than
    LONGEST_LOOK changes nothing, because it is not known when the answer was given."""
    global _started_at
    asked = time.monotonic()
    moment = database.now()
    answered = time.monotonic()
    if _started_at is not None and answered - asked > LONGEST_LOOK:
        return timedelta()
    expected = now()
    _started_at = moment - timedelta(seconds=time.monotonic())
    return now() - expected
