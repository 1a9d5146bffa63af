"""Run again in the admin: the button, and the list's action with its confirmation."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from scheduler_app.models import AuditEntry, Job, JobRun, Node, RunState
from tests.admin.conftest import questions

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as HttpResponse

pytestmark = pytest.mark.django_db
LIST = "/admin/scheduler_app/jobrun/"
MakeRun = Callable[..., JobRun]


@pytest.fixture(autouse=True)
def scheduler(settings: Settings, make_job: Callable[..., Job]) -> Node:
    settings.SCHEDULER = {"heartbeat": 3600}  # it beats once, however long the test takes
    make_job("nightly")
    return Node.objects.create(name="here:1")


def ask(client: Client, *runs: JobRun, query: str = "", **data: str) -> HttpResponse:
    selected = {"action": "retry", "_selected_action": [run.pk for run in runs], "index": "0"}
    return client.post(f"{LIST}{query}", selected | data)


def confirm(client: Client, keys: str, **data: str) -> HttpResponse:
    return client.post(f"{LIST}run-again/", {"keys": keys} | data, follow=True)


def told(response: HttpResponse) -> list[tuple[str, str]]:
    return [(m.level_tag, m.message) for m in response.context["messages"]]


def buttons(client: Client, run: JobRun) -> list[str]:
    return [action.name for action in client.get(f"{LIST}{run.pk}/change/").context["buttons"]]


def test_list_asks_first_and_changes_nothing(admin_client: Client, make_run: MakeRun) -> None:
    failed = make_run("nightly", RunState.FAILED, message="<b>boom")
    good = make_run("nightly", minutes_ago=1)
    html = ask(admin_client, failed, good).content.decode()
    assert "This run will be queued again" in html
    assert "&lt;b&gt;boom" in html
    assert "1 selected run succeeded or has not ended, and is left out." in html
    assert f'name="keys" value="{failed.pk}"' in html
    assert "<h1>Run again?</h1>" in html
    assert not JobRun.objects.queued().exists()
    assert not AuditEntry.objects.exists()


def test_confirmed_runs_are_queued_with_the_reason(admin_client: Client, make_run: MakeRun) -> None:
    runs = [make_run("nightly", RunState.FAILED, minutes_ago=n) for n in (1, 2)]
    response = confirm(
        admin_client, f"{runs[0].pk},{runs[1].pk}", reason=" mended ", query="state__exact=failed"
    )
    assert response.redirect_chain == [(f"{LIST}?state__exact=failed", 302)]
    names = ", ".join(f"run {run.pk}" for run in sorted(runs, key=lambda run: run.pk))
    assert told(response) == [("success", f"Queued again, to run as soon as possible: {names}.")]
    assert {run.rerun_of_id for run in JobRun.objects.queued()} == {run.pk for run in runs}
    entries = AuditEntry.objects.filter(action="retry", actor="admin", surface="admin")
    assert {entry.reason for entry in entries} == {f"Run {run.pk}. mended" for run in runs}


def test_whole_list_can_be_run_again(admin_client: Client, make_run: MakeRun) -> None:
    runs = [make_run("nightly", RunState.FAILED, minutes_ago=n) for n in range(120)]
    other = make_run("nightly", RunState.LOST, minutes_ago=200)
    html = ask(admin_client, runs[0], query="?state__exact=failed", select_across="1")
    page = html.content.decode()
    assert "These 120 runs" in page
    assert "And 20 more." in page
    keys = page.partition('name="keys" value="')[2].partition('"')[0]
    assert set(map(int, keys.split(","))) == {run.pk for run in runs}
    with CaptureQueriesContext(connection) as captured:
        confirm(admin_client, keys)
    assert len(questions(captured)) < 60
    assert JobRun.objects.queued().count() == 120
    assert not JobRun.objects.filter(rerun_of=other).exists()


def test_nothing_to_run_again_is_said(admin_client: Client, make_run: MakeRun) -> None:
    html = ask(admin_client, make_run("nightly")).content.decode()
    assert "None of the selected runs can be run again" in html
    assert 'type="submit"' not in html.partition('class="run-confirm"')[2]


def test_what_recovered_meanwhile_is_a_warning(admin_client: Client, make_run: MakeRun) -> None:
    first = make_run("nightly", RunState.FAILED)
    make_run("nightly", attempt=2, first_attempt=first)
    [(level, text)] = told(confirm(admin_client, str(first.pk)))
    assert level == "warning"
    assert "a later attempt" in text


def test_button_runs_again_and_says_so(admin_client: Client, make_run: MakeRun) -> None:
    run = make_run("nightly", RunState.FAILED)
    response = admin_client.post(f"{LIST}{run.pk}/retry/", {"reason": "again"}, follow=True)
    assert response.redirect_chain == [(f"{LIST}{run.pk}/change/", 302)]
    again = JobRun.objects.queued().get()
    assert f'href="{LIST}{again.pk}/change/"' in response.content.decode()
    assert AuditEntry.objects.get().reason == f"Run {run.pk}. again"


@pytest.mark.parametrize("state", RunState)
def test_button_is_there_for_what_did_not_succeed(
    admin_client: Client, make_run: MakeRun, state: RunState
) -> None:
    run = make_run("nightly", state)
    active = state in (RunState.QUEUED, RunState.RUNNING)
    expected = ["cancel"] if active else [] if state == RunState.SUCCESS else ["retry"]
    assert buttons(admin_client, run) == expected


def test_button_is_not_there_once_a_later_attempt_succeeded(
    admin_client: Client, make_run: MakeRun
) -> None:
    first = make_run("nightly", RunState.FAILED)
    retry = make_run("nightly", RunState.FAILED, attempt=2, first_attempt=first)
    assert buttons(admin_client, first) == buttons(admin_client, retry) == ["retry"]
    make_run("nightly", rerun_of=retry, trigger="manual")
    assert buttons(admin_client, retry) == []


@pytest.mark.parametrize(
    "permissions", [("view_jobrun", "cancel_jobrun", "pause_job"), ("trigger_job",)]
)
def test_who_lacks_a_permission_can_do_nothing(
    staff: Callable[..., Client], make_run: MakeRun, permissions: tuple[str, ...]
) -> None:
    client = staff(*permissions)
    run = make_run("nightly", RunState.FAILED)
    assert client.post(f"{LIST}{run.pk}/retry/").status_code == 403
    assert ask(client, run).status_code == 403
    assert confirm(client, str(run.pk)).status_code == 403
    assert not JobRun.objects.queued().exists()
    if "view_jobrun" in permissions:
        assert buttons(client, run) == []
        assert "Run the selected runs again" not in client.get(LIST).content.decode()


def test_two_permissions_are_enough(staff: Callable[..., Client], make_run: MakeRun) -> None:
    client = staff("view_jobrun", "trigger_job")
    run = make_run("nightly", RunState.FAILED)
    assert buttons(client, run) == ["retry"]
    ask(client, run)
    confirm(client, str(run.pk))
    assert JobRun.objects.queued().exists()


def test_confirmation_needs_a_post_and_the_csrf_token(
    staff: Callable[..., Client], make_run: MakeRun
) -> None:
    client = staff("view_jobrun", "trigger_job", enforce_csrf_checks=True)
    run = make_run("nightly", RunState.FAILED)
    assert client.get(f"{LIST}run-again/").status_code == 405
    assert confirm(client, str(run.pk)).status_code == 403


@pytest.mark.parametrize(
    "keys", ["", "x", "9" * 60, "-1", "0", "1\0", "4711", ",,", "1.5", "\N{FIRE}"]
)
def test_keys_that_no_run_has_are_no_error_page(admin_client: Client, keys: str) -> None:
    assert confirm(admin_client, keys, query="\r\nX: y").status_code == 200
    assert not JobRun.objects.exists()


def test_reason_that_is_too_long_is_a_message(admin_client: Client, make_run: MakeRun) -> None:
    run = make_run("nightly", RunState.FAILED)
    [(level, _)] = told(confirm(admin_client, str(run.pk), reason="x" * 501))
    assert level == "error"
    assert not JobRun.objects.queued().exists()
