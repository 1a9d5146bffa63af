"""Cancelling in the admin."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from django.test import Client
from pytest_django import Settings

from scheduler_app.models import AuditEntry, JobRun, Node, RunState
from tests.admin.conftest import NOW

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as HttpResponse

pytestmark = pytest.mark.django_db
LIST = "/admin/scheduler_app/jobrun/"
MakeRun = Callable[..., JobRun]


@pytest.fixture(autouse=True)
def scheduler(db: None, settings: Settings) -> Node:
    """One that is alive and works: without it, every success would be a warning."""
    settings.SCHEDULER = {"heartbeat": 3600}  # it beats once, however long the test takes
    return Node.objects.create(name="here:1")


def act_on_list(client: Client, *runs: JobRun, **data: str) -> HttpResponse:
    selected = {"action": "cancel", "_selected_action": [run.pk for run in runs], "index": "0"}
    return client.post(LIST, selected | data, follow=True)


def press(client: Client, key: object, reason: str = "") -> HttpResponse:
    return client.post(f"{LIST}{key}/cancel/", {"reason": reason}, follow=True)


def told(response: HttpResponse) -> list[tuple[str, str]]:
    return [(m.level_tag, m.message) for m in response.context["messages"]]


def buttons(client: Client, run: JobRun) -> list[str]:
    return [action.name for action in client.get(f"{LIST}{run.pk}/change/").context["buttons"]]


def test_each_result_has_its_message(admin_client: Client, make_run: MakeRun) -> None:
    waiting = [make_run("nightly", RunState.QUEUED, minutes_ago=number) for number in (1, 2)]
    going = make_run("nightly", RunState.RUNNING, minutes_ago=3)
    asked = make_run("nightly", RunState.RUNNING, minutes_ago=4, cancel_requested_at=NOW)
    ended = make_run("nightly", minutes_ago=5)
    untouched = make_run("nightly", RunState.QUEUED, minutes_ago=6)
    assert told(act_on_list(admin_client, *waiting, going, asked, ended)) == [
        ("success", f"Asked to end: run {going.pk}."),
        ("success", f"Cancelled: run {waiting[0].pk}, run {waiting[1].pk}."),
        ("warning", f"Asked to end already: run {asked.pk}."),
        ("warning", "Ended already: 1 run."),
    ]
    states = dict(JobRun.objects.values_list("pk", "state"))
    assert {states[run.pk] for run in waiting} == {RunState.CANCELLED}
    assert states[untouched.pk] == RunState.QUEUED
    assert JobRun.objects.running().cancel_requested().count() == 2


def test_whole_history_can_be_selected_without_an_audit_row_for_each(
    admin_client: Client, make_run: MakeRun
) -> None:
    runs = [make_run("nightly", minutes_ago=number) for number in range(120)]
    make_run("nightly", RunState.RUNNING, minutes_ago=200)
    messages = told(act_on_list(admin_client, runs[0], select_across="1"))
    assert [text for _, text in messages][-1] == "Ended already: 120 runs."
    assert AuditEntry.objects.count() == 1


def test_button_leaves_person_surface_and_reason(admin_client: Client, make_run: MakeRun) -> None:
    run = make_run("nightly", RunState.RUNNING)
    response = press(admin_client, run.pk, " wrong data ")
    assert response.redirect_chain == [(f"{LIST}{run.pk}/change/", 302)]
    run.refresh_from_db()
    assert run.cancel_reason == "Cancelled by admin (admin): wrong data"
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.surface, entry.action) == ("admin", "admin", "cancel")


def test_run_that_ended_meanwhile_is_a_message(admin_client: Client, make_run: MakeRun) -> None:
    run = make_run("nightly")
    assert told(press(admin_client, run.pk)) == [("warning", f"Ended already: run {run.pk}.")]


@pytest.mark.parametrize("key", ["4711", "x", "9" * 30])
def test_unknown_run_is_a_message(admin_client: Client, key: str) -> None:
    assert ("error", f"Run not found: {key}") in told(press(admin_client, key))


def test_button_is_there_while_it_helps(admin_client: Client, make_run: MakeRun) -> None:
    run = make_run("nightly", RunState.RUNNING)
    assert buttons(admin_client, run) == ["cancel"]
    assert buttons(admin_client, make_run("nightly", RunState.QUEUED, 1)) == ["cancel"]
    assert buttons(admin_client, make_run("nightly", minutes_ago=2)) == []
    JobRun.objects.update(cancel_requested_at=NOW)
    assert buttons(admin_client, run) == []


def test_permission_is_enough_with_the_one_to_look(
    staff: Callable[..., Client], make_run: MakeRun
) -> None:
    client = staff("view_jobrun", "cancel_jobrun")
    listed, shown = (make_run("nightly", RunState.QUEUED, number) for number in (1, 2))
    assert buttons(client, shown) == ["cancel"]
    press(client, shown.pk)
    act_on_list(client, listed)
    assert set(JobRun.objects.values_list("state", flat=True)) == {RunState.CANCELLED}


@pytest.mark.parametrize(
    "permissions", [("view_jobrun", "trigger_job", "pause_job"), ("cancel_jobrun",)]
)
def test_who_lacks_one_of_the_two_can_do_nothing(
    staff: Callable[..., Client], make_run: MakeRun, permissions: tuple[str, ...]
) -> None:
    client = staff(*permissions)
    run = make_run("nightly", RunState.QUEUED)
    assert press(client, run.pk).status_code == 403
    assert act_on_list(client, run).status_code == 403
    assert JobRun.objects.queued().exists()
    assert not AuditEntry.objects.exists()


def test_button_needs_a_post(admin_client: Client, make_run: MakeRun) -> None:
    run = make_run("nightly", RunState.RUNNING)
    assert admin_client.get(f"{LIST}{run.pk}/cancel/").status_code == 405


def test_button_needs_the_csrf_token(staff: Callable[..., Client], make_run: MakeRun) -> None:
    client = staff("view_jobrun", "cancel_jobrun", enforce_csrf_checks=True)
    assert press(client, make_run("nightly", RunState.RUNNING).pk).status_code == 403
