"""Pauses that end by themselves."""

from collections.abc import Sequence
from datetime import datetime

from django.db import DatabaseError
from django.db.models import Min

from scheduler_app.control.pauses import end_pause
from scheduler_app.ledger import schedules
from scheduler_app.logs import SafeLogger
from scheduler_app.models import Job, database, locks
from scheduler_app.models.job import PAUSE

logger = SafeLogger(__name__)
BATCH = 500


def next_end() -> datetime | None:
    """Return when the next pause ends."""
    found: datetime | None = Job.objects.aggregate(at=Min("paused_until"))["at"]
    return found


def end_pauses(now: datetime) -> None:
    """Resume the jobs whose pauses are over, each from the end of its pause on: what was due since
    is treated as after a stop of the scheduler. What others have locked has its turn later."""
    over = Job.objects.filter(paused_until__lte=now).order_by("paused_until", "name")
    names = list(over.values_list("name", flat=True)[:BATCH])
    locks.around(names, lambda some: _end(some, now), _refused)


def _end(names: Sequence[str], now: datetime) -> None:
    with database.atomic():
        for job in schedules.try_lock(names):
            if job.paused_until is None or job.paused_until > now:
                continue
            until = job.paused_until
            reason = f"Resumed: the pause by {job.paused_by} was until this moment."
            schedules.change([job], until, end_pause, PAUSE, skipped="", reason=reason)
            logger.info("job %s is resumed: its pause is over", job.name)


def _refused(name: str, error: DatabaseError) -> None:
    logger.error("job %s cannot be resumed, though its pause is over: %s", name, error)
