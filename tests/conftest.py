"""Fixtures that tests of several rooms use."""

from collections.abc import Callable

import pytest
from django.utils import timezone

from scheduler_app.engine import timetable
from scheduler_app.models import Job


@pytest.fixture
def make_job(db: None) -> Callable[..., Job]:
    """Add a job with its timetable row, as a start of the scheduler would."""

    def _make_job(name: str, cron: str = "* * * * *", **fields: object) -> Job:
        job = Job.objects.create(name=name, cron=cron, **({"timezone": "UTC"} | fields))
        fire = None if job.is_paused or job.is_orphaned else job.schedule.next(timezone.now())
        timetable.add({name: fire.due_at if fire else None})
        return job

    return _make_job
