"""Fixtures of several rooms, and what becomes of a database server that is missing."""

import os
from collections.abc import Callable, Generator, Iterator
from functools import cache
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.test import TransactionTestCase
from django.utils import timezone

from scheduler_app.ledger import timetable
from scheduler_app.models import Job
from tests.fires import computed
from tests.harness import Database, postgres_database, sqlite_database
from tests.harness.emptying import empty

SLOW = (
    *("acceptance", "backends/test_process", "chaos", "liveness", "model", "processes"),
    *("engine/test_blocked_judge", "engine/test_uncomputable", "engine/test_wiped"),
    "test_uncomputable",
)
"""Where tests are slow by nature: they start processes, cause faults, or try hundreds of histories
or combinations."""
APART = ("browser", "wheel")
"""Where tests are for a target of their own, of this name."""
SLOW_FIXTURES = {"site_database"}
"""Fixtures that serve real processes, which take seconds to start."""


def pytest_configure() -> None:
    assert hasattr(TransactionTestCase, "_fixture_teardown")
    TransactionTestCase._fixture_teardown = empty


def pytest_sessionstart(session: pytest.Session) -> None:
    """Fail where CI is set and the PostgreSQL server is missing. Not while a worker of xdist
    collects: an exit in a worker would be lost."""
    reason = _missing_server()
    if reason and os.environ.get("CI") and not hasattr(session.config, "workerinput"):
        pytest.exit(reason, returncode=1)


@pytest.hookimpl(tryfirst=True)  # before `-m` selects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the slow tests, and skip all on a user's machine without the PostgreSQL server."""
    reason = _missing_server()
    for item in items:
        if (place := _place(item).partition("/")[0]) in APART:
            item.add_marker(place)
        elif _is_slow(item):
            item.add_marker("slow")
        if reason:
            item.add_marker(pytest.mark.skip(reason=reason))


def _is_slow(item: pytest.Item) -> bool:
    return _place(item).startswith(SLOW) or not SLOW_FIXTURES.isdisjoint(
        getattr(item, "fixturenames", ())
    )


def _place(item: pytest.Item) -> str:
    return item.path.relative_to(Path(__file__).parent).as_posix()


@cache
def _missing_server() -> str:
    """Return why the tests cannot run on PostgreSQL; "" if they can, or run on SQLite."""
    if os.environ.get("TEST_DATABASE") != "postgres":
        return ""
    url = os.environ["DATABASE_URL"]
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError as error:
        return f"No PostgreSQL at {url} (TEST_POSTGRES_URL names another): {error}"
    return ""


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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Make what a test has printed fit to be sent from its worker: hostile jobs print anything."""
    report = yield
    report.sections = [
        (title, text.encode("utf-8", "replace").decode()) for title, text in report.sections
    ]
    return report
