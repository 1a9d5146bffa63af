"""Actions on thousands of jobs or runs at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from scheduler_app import control
from scheduler_app.admin import actions
from scheduler_app.control.transaction import BATCH
from scheduler_app.exceptions import Busy
from scheduler_app.ledger import schedules, timetable
from scheduler_app.models import AuditEntry, Job, JobRun, Node, SchedulePeriod
from tests.admin.confirming import confirm

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as HttpResponse

pytestmark = pytest.mark.django_db
NOW = timezone.now()


@pytest.fixture(autouse=True)
def scheduler(db: None, settings: Settings) -> Node:
    settings.SCHEDULER = {"heartbeat": 3600}  # it beats once, however long the test takes
    return Node.objects.create(name="here:1")


def add_jobs(number: int) -> list[str]:
    names = [f"job-{n:05}" for n in range(number)]
    Job.objects.bulk_create(
        Job(name=name, cron=f"{n % 60} {n % 24} * * *", timezone="UTC", jitter=n % 300)
        for n, name in enumerate(names)
    )
    timetable.add({name: NOW + timedelta(minutes=n) for n, name in enumerate(names)})
    SchedulePeriod.objects.bulk_create(
        SchedulePeriod(
            job_name=job.name, cron=job.cron, timezone="UTC", jitter=job.jitter,
            state=SchedulePeriod.State.ACTIVE, begins_at=NOW,
        )
        for job in Job.objects.all()
    )  # fmt: skip
    return names


def act_on_all(client: Client, action: str, model: str = "job") -> HttpResponse:
    """As "Select all" does: the page's first row is ticked, and all others are meant."""
    model_class: Any = {"job": Job, "jobrun": JobRun}[model]
    data = {
        "action": action,
        "_selected_action": [str(model_class.objects.first().pk)],
        "select_across": "1",
        "index": "0",
    }
    page = client.post(f"/admin/scheduler_app/{model}/", data)
    return confirm(client, page) if model == "job" else page


def told(page: HttpResponse) -> list[tuple[str, str]]:
    return [(message.level_tag, message.message) for message in page.context["messages"]]


@contextmanager
def queries() -> Iterator[CaptureQueriesContext]:
    with CaptureQueriesContext(connection) as captured:
        yield captured


def test_two_thousand_jobs_take_few_queries(admin_client: Client) -> None:
    add_jobs(4 * BATCH)
    for action, words in (
        ("pause", "Paused"),
        ("resume", "Resumed"),
        ("trigger", "Queued, to run as soon as possible"),
    ):
        with queries() as made:
            page = act_on_all(admin_client, action)
        assert len(made) < 220, action
        [(level, text)] = told(page)
        assert level == "success"
        assert text.startswith(f"{words}: job-00000, ")
        assert text.endswith("job-00019, and 1,980 more.")
        assert AuditEntry.objects.filter(action=action, changed=True).count() == 4 * BATCH
    assert JobRun.objects.queued().count() == 4 * BATCH


def test_cancel_of_a_thousand_runs_takes_few_queries(admin_client: Client) -> None:
    names = add_jobs(2 * BATCH)
    JobRun.objects.bulk_create(
        JobRun(job_name=name, scheduled_for=NOW, due_at=NOW) for name in names
    )
    with queries() as made:
        act_on_all(admin_client, "cancel", "jobrun")
    assert len(made) < 100
    assert JobRun.objects.filter(state="cancelled").count() == 2 * BATCH
    assert AuditEntry.objects.count() == 2 * BATCH


def test_batch_that_fails_leaves_those_before_it(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "BATCH", 10)
    names = add_jobs(35)
    original = schedules.lock

    def lock(names: list[str]) -> list[Job]:
        if "job-00020" in names:
            raise Busy("job-00025: held.")
        return original(names)

    monkeypatch.setattr(schedules, "lock", lock)
    page = act_on_all(admin_client, "pause")
    assert list(Job.objects.paused().values_list("name", flat=True)) == names[:20]
    done, failed = sorted(told(page), reverse=True)
    assert done == ("success", f"Paused: {', '.join(names[:20])}.")
    assert failed == ("error", f"job-00025: held. Not done: {', '.join(names[20:])}.")


@pytest.mark.parametrize("error", [OperationalError("x"), RuntimeError("bug")])
def test_database_error_in_the_middle_is_a_message(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    add_jobs(3)

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(control.selection, "audit", fail)
    if isinstance(error, RuntimeError):  # a bug of ours is not hidden
        with pytest.raises(RuntimeError):
            act_on_all(admin_client, "pause")
    else:
        [(level, text)] = told(act_on_all(admin_client, "pause"))
        assert level == "error"
        assert "Not done: job-00000, job-00001, job-00002." in text
    assert not Job.objects.paused().exists()


def test_request_that_lasts_too_long_says_what_is_left(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "BATCH", 10)
    monkeypatch.setattr(actions, "REQUEST_TIME", -1.0)
    add_jobs(12)
    [(level, text)] = told(act_on_all(admin_client, "pause"))
    assert (level, text[:55]) == (
        "error",
        "One request cannot do more; repeat the action. Not done",
    )
    assert not Job.objects.paused().exists()
