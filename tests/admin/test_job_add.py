"""Adding a job in the admin, and deleting one."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from scheduler_app import control
from scheduler_app.control import Actor
from scheduler_app.models import AddedJob, AuditEntry, Job, Surface
from scheduler_app.registry import registry
from tests.test_added import PATH, send

pytestmark = pytest.mark.django_db
MakeJob = Callable[..., Job]
ADD = "/admin/scheduler_app/job/add/"
ADA = Actor("ada", Surface.CODE)
FIELDS = {
    "name": "acme",
    "argument_customer": "acme",
    "argument_limit": "7",
    "cron": "0 3 * * *",
    "timezone": "UTC",
    "jitter": "0",
    "overlap": "skip",
    "catch_up": "skip",
    "catch_up_limit": "100",
    "retries": "2",
    "retry_delay": "60",
    "retry_max_delay": "3600",
    "pause_on_failure": "0",
    "description": "For <b>acme</b>",
    "reason": "asked",
}


@pytest.fixture(autouse=True)
def offered() -> Iterator[None]:
    registry.offer(send)
    yield
    del registry.functions[PATH]


def text(response: Any) -> str:
    assert response.status_code == 200
    return str(response.content.decode())


def test_first_page_asks_what_it_calls(admin_client: Client, settings: Settings) -> None:
    settings.SCHEDULER = settings.SCHEDULER | {"addable_commands": ["check"]}
    page = text(admin_client.get(ADD))
    assert f'<option value="{PATH}">' in page
    assert '<option value="check">manage.py check</option>' in page
    assert "Add job" in text(admin_client.get("/admin/scheduler_app/job/"))


@pytest.mark.parametrize("calls", ["os.system", "check", "", "a\0"])
def test_what_is_not_offered_is_asked_for_again(admin_client: Client, calls: str) -> None:
    page = text(admin_client.get(ADD, {"calls": calls}))
    assert "What it calls" in page
    page = text(admin_client.post(f"{ADD}?calls=os.system", FIELDS | {"_confirm": "1"}))
    assert "What it calls" in page
    assert not AddedJob.objects.exists()


def test_nothing_is_added_before_the_preview_is_confirmed(admin_client: Client) -> None:
    form = text(admin_client.get(ADD, {"calls": PATH}))
    for name in ("argument_customer", "argument_limit", "cron", "timeout", "isolated"):
        assert f'name="{name}"' in form
    preview = text(admin_client.post(f"{ADD}?calls={PATH}", FIELDS))
    assert "At 03:00 every day" in preview
    assert "<b>acme</b>" not in preview
    assert not AddedJob.objects.exists()
    answer = admin_client.post(f"{ADD}?calls={PATH}", FIELDS | {"_confirm": "1"})
    assert answer.url == "/admin/scheduler_app/job/acme/change/"  # type: ignore[attr-defined]
    row = AddedJob.objects.get()
    assert (row.function, row.arguments) == (PATH, '{"customer": "acme", "limit": 7}')
    assert Job.objects.get().retries == 2
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.surface, entry.action) == ("admin", "admin", "add")


def test_command_is_added_with_its_words(admin_client: Client, settings: Settings) -> None:
    settings.SCHEDULER = settings.SCHEDULER | {"addable_commands": ["check"]}
    fields = FIELDS | {"words": "--tag urls", "_confirm": "1"}
    admin_client.post(f"{ADD}?calls=check", fields)
    assert AddedJob.objects.get().arguments == '["--tag", "urls"]'


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"cron": "* *"}, "Bad cron expression"),
        ({"timezone": "Mars"}, "Unknown time zone"),
        ({"name": "No Name"}, "Bad job name"),
        ({"name": "taken"}, "There is a job taken already"),
        ({"name": ""}, "This field is required"),
        ({"retries": "101"}, "Bad retries"),
        ({"timeout": "-1"}, "Bad timeout"),
    ],
)
def test_what_cannot_be_declared_is_told_at_its_field(
    admin_client: Client, make_job: MakeJob, fields: dict[str, str], told: str
) -> None:
    make_job("taken")
    for confirm in ({}, {"_confirm": "1"}):
        page = text(admin_client.post(f"{ADD}?calls={PATH}", FIELDS | fields | confirm))
        assert told in page
    assert not AddedJob.objects.exists()


def test_words_that_are_none_are_told(admin_client: Client, settings: Settings) -> None:
    settings.SCHEDULER = settings.SCHEDULER | {"addable_commands": ["check"]}
    for words, told in (
        ('--tag "urls', "These are no words"),
        ("--no-such", "cannot be called so"),
    ):
        page = text(admin_client.post(f"{ADD}?calls=check", FIELDS | {"words": words}))
        assert told in page


def test_adding_needs_its_permission(staff: Callable[..., Client]) -> None:
    client = staff("view_job", "change_job", "delete_job")
    assert client.get(ADD).status_code == 403
    assert client.post(f"{ADD}?calls={PATH}", FIELDS | {"_confirm": "1"}).status_code == 403
    assert "Add job" not in text(client.get("/admin/scheduler_app/job/"))
    assert not AddedJob.objects.exists()


def test_added_job_is_deleted_and_the_list_is_shown(admin_client: Client) -> None:
    values = {"cron": "@daily", "timezone": "UTC"}
    control.add("acme", by=ADA, function=PATH, values=values)
    assert "Delete..." in text(admin_client.get("/admin/scheduler_app/job/acme/change/"))
    asks = text(admin_client.get("/admin/scheduler_app/job/acme/remove/"))
    assert "its runs stay" in asks
    answer = admin_client.post(
        "/admin/scheduler_app/job/acme/remove/", {"_confirm": "1", "reason": "a typo"}, follow=True
    )
    assert answer.redirect_chain == [("/admin/scheduler_app/job/", 302)]
    assert "Deleted: acme." in text(answer)
    assert not Job.objects.exists()


def test_declared_job_offers_no_deletion(admin_client: Client, make_job: MakeJob) -> None:
    make_job("mine")
    assert "Delete..." not in text(admin_client.get("/admin/scheduler_app/job/mine/change/"))
    answer = admin_client.post("/admin/scheduler_app/job/mine/remove/", {"_confirm": "1"})
    assert "is declared by code" in text(answer)
    assert Job.objects.exists()


def test_deleting_needs_its_permission(staff: Callable[..., Client], make_job: MakeJob) -> None:
    make_job("old", orphaned_at="2026-01-01T00:00Z")
    client = staff("view_job", "change_job", "add_job")
    assert client.post("/admin/scheduler_app/job/old/remove/").status_code == 403
    assert "Delete..." not in text(client.get("/admin/scheduler_app/job/old/change/"))
