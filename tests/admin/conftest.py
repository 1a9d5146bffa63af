"""People who sign in to the admin, and rows for them to see."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from scheduler_app.models import JobRun, RunState

NOW = timezone.now().replace(microsecond=0)
NEVER_STARTED = (RunState.QUEUED, RunState.SKIPPED, RunState.MISSED)


def questions(captured: CaptureQueriesContext) -> list[str]:
    """What was asked of the database: its tables were read or written. What Django asks once in the
    life of a process is not counted, nor are settings and savepoints."""
    once = 'FROM "django_content_type" WHERE'
    asked = (query["sql"] for query in captured)
    return [sql for sql in asked if "FROM " in sql and once not in sql]


@pytest.fixture
def page(admin_client: Client) -> Callable[..., str]:
    """What a superuser sees under /admin/scheduler_app/."""

    def _page(path: str, **query: str) -> str:
        response = admin_client.get(f"/admin/scheduler_app/{path}", query)
        assert response.status_code == 200
        return response.content.decode()

    return _page


@pytest.fixture
def staff(db: None) -> Callable[..., Client]:
    """Sign in a member of the staff who has these permissions of scheduler_app and no others."""

    def _staff(*codenames: str, enforce_csrf_checks: bool = False) -> Client:
        user = User.objects.create_user("grace", is_staff=True)
        wanted = Permission.objects.filter(
            content_type__app_label="scheduler_app", codename__in=codenames
        )
        user.user_permissions.set(wanted)
        assert len(wanted) == len(codenames)
        client = Client(enforce_csrf_checks=enforce_csrf_checks)
        client.force_login(user)
        return client

    return _staff


@pytest.fixture
def make_run(db: None) -> Callable[..., JobRun]:
    """Add a run that started 2 s late and took 3 s, as far as its state has come."""

    def _make_run(
        name: str, state: RunState = RunState.SUCCESS, minutes_ago: int = 0, **fields: object
    ) -> JobRun:
        moment = NOW - timedelta(minutes=minutes_ago)
        started = None if state in NEVER_STARTED else moment + timedelta(seconds=2)
        active = state in (RunState.QUEUED, RunState.RUNNING)
        values: dict[str, object] = {
            "scheduled_for": moment,
            "due_at": moment,
            "started_at": started,
            "finished_at": None if active else moment + timedelta(seconds=5),
        }
        return JobRun.objects.create(job_name=name, state=state, **(values | fields))

    return _make_run
