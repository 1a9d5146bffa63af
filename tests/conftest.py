"""Fixtures of several rooms, and what becomes of a database server that is missing."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.utils import timezone

from scheduler_app.ledger import timetable
from scheduler_app.models import Job
from tests.fires import computed
from tests.harness import Database, postgres_database, sqlite_database


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without its server the PostgreSQL run is skipped on a user's machine, and fails where CI is
    set: there, a missing server is a fault."""
    if os.environ.get("TEST_DATABASE") != "postgres":
        return
    url = os.environ["DATABASE_URL"]
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError as error:
        reason = f"No PostgreSQL at {url} (TEST_POSTGRES_URL names another): {error}"
        if os.environ.get("CI"):
            pytest.exit(reason, returncode=1)
        for item in items:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def make_job(db: None) -> Callable[..., Job]:
    """Add a job with its timetable row, as a start of the scheduler would."""

    def _make_job(name: str, cron: str = "* * * * *", **fields: object) -> Job:
        job = Job.objects.create(name=name, cron=cron, **({"timezone": "UTC"} | fields))
        fire = (
            None
            if job.is_paused or job.is_orphaned
            else computed(job.schedule).next(timezone.now())
        )
        timetable.add({name: fire.due_at if fire else None})
        return job

    return _make_job


@pytest.fixture
def site_database(tmp_path: Path) -> Iterator[Database]:
    """An empty database for real processes, of the kind that the tests run on."""
    if settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
        yield sqlite_database(tmp_path)
        return
    with postgres_database(os.environ["DATABASE_URL"]) as database:
        yield database
