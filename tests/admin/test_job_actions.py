"""Pause, resume and run now in the admin."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from scheduler_app import status
from scheduler_app.models import AuditEntry, Job, JobRun, Node, RunState
from scheduler_app.status import JobState

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as HttpResponse

pytestmark = pytest.mark.django_db
LIST = "/admin/scheduler_app/job/"
ACTIONS = ("pause", "resume", "trigger")
Staff = Callable[..., Client]


@pytest.fixture(autouse=True)
def scheduler(db: None, settings: Settings) -> Node:
    """One that is alive and works: without it, every success would be a warning."""
    settings.SCHEDULER = {"heartbeat": 3600}  # it beats once, however long the test takes
    return Node.objects.create(name="here:1")


@pytest.fixture
def nightly(make_job: Callable[..., Job]) -> Job:
    return make_job("nightly")


def act_on_list(client: Client, action: str, *names: str) -> HttpResponse:
    data = {"action": action, "_selected_action": names, "index": "0"}
    return client.post(LIST, data, follow=True)


def press(client: Client, action: str, name: str = "nightly", reason: str = "") -> HttpResponse:
    return client.post(f"{LIST}{name}/{action}/", {"reason": reason}, follow=True)


def told(response: HttpResponse) -> list[tuple[str, str]]:
    return [(m.level_tag, m.message) for m in response.context["messages"]]


def test_pause_and_resume_on_the_list(admin_client: Client, make_job: Callable[..., Job]) -> None:
    for name in ("one", "two", "three"):
        make_job(name)
    response = act_on_list(admin_client, "pause", "one", "two")
    assert told(response) == [("success", "Paused: one, two.")]
    paused = [job.name for job in status.scheduler_status().jobs if job.state == JobState.PAUSED]
    assert paused == ["one", "two"]
    response = act_on_list(admin_client, "resume", "one", "three")
    assert told(response) == [("success", "Resumed: one."), ("warning", "Not paused: three.")]
    assert status.job_status("one").next_run is not None


def test_run_now_queues_a_run_and_leaves_it_to_a_scheduler(
    admin_client: Client, nightly: Job
) -> None:
    response = act_on_list(admin_client, "trigger", "nightly")
    assert told(response) == [("success", "Queued, to run as soon as possible: nightly.")]
    run = JobRun.objects.unassigned().get()
    assert (run.state, run.requested_by, run.started_at) == (RunState.QUEUED, "admin", None)


def test_button_leaves_an_audit_entry_with_person_surface_and_reason(
    admin_client: Client, nightly: Job
) -> None:
    response = press(admin_client, "pause", reason="  maintenance ")
    assert response.redirect_chain == [(f"{LIST}nightly/change/", 302)]
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.surface, entry.action, entry.reason) == (
        "admin",
        "admin",
        "pause",
        "maintenance",
    )


def test_every_button_does_what_it_says(admin_client: Client, nightly: Job) -> None:
    for action in ACTIONS:
        press(admin_client, action)
    assert list(AuditEntry.objects.order_by("id").values_list("action", "changed")) == [
        ("pause", True),
        ("resume", True),
        ("trigger", True),
    ]


def test_refusal_is_a_message(admin_client: Client, nightly: Job) -> None:
    press(admin_client, "trigger")
    (level, text) = told(press(admin_client, "trigger"))[0]
    assert level == "error"
    assert text.startswith("Job nightly is queued already")


def test_unknown_job_is_a_message(admin_client: Client) -> None:
    assert ("error", "Job not found: nope") in told(press(admin_client, "pause", "nope"))


def test_refusals_of_some_jobs_do_not_stop_the_others(
    admin_client: Client, make_job: Callable[..., Job]
) -> None:
    make_job("gone", orphaned_at=timezone.now())
    make_job("here")
    levels = [level for level, _ in told(act_on_list(admin_client, "trigger", "gone", "here"))]
    assert levels == ["success", "error"]
    assert JobRun.objects.get().job_name == "here"


def test_many_jobs_make_one_bearable_message(
    admin_client: Client, make_job: Callable[..., Job]
) -> None:
    names = [f"job-{number:02}" for number in range(30)]
    for name in names:
        make_job(name)
    [(_, text)] = told(act_on_list(admin_client, "pause", *names))
    assert text.endswith("job-19, and 10 more.")


def test_message_is_escaped(admin_client: Client, make_job: Callable[..., Job]) -> None:
    make_job("<script>x")
    assert b"<script>x" not in act_on_list(admin_client, "pause", "<script>x").content


def test_reason_that_is_too_long_is_refused(admin_client: Client, nightly: Job) -> None:
    assert told(press(admin_client, "pause", reason="x" * 501))[0][0] == "error"
    assert not AuditEntry.objects.exists()


def test_reason_with_a_nul_byte_is_refused(admin_client: Client, nightly: Job) -> None:
    assert told(press(admin_client, "pause", reason="x\0y"))[0][0] == "error"
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("action", ACTIONS)
def test_permission_enables_exactly_its_action(
    staff: Staff, make_job: Callable[..., Job], action: str
) -> None:
    make_job("nightly", paused_at=timezone.now() if action == "resume" else None)
    client = staff("view_job", f"{action}_job")
    choices = client.get(LIST).context["action_form"].fields["action"].choices
    assert [name for name, _ in choices if name] == [action]
    buttons = client.get(f"{LIST}nightly/change/").context["buttons"]
    assert [button.name for button in buttons] == [action]
    for other in set(ACTIONS) - {action}:
        assert press(client, other).status_code == 403
        assert act_on_list(client, other, "nightly").status_code == 403
    assert not AuditEntry.objects.exists()
    assert press(client, action).status_code == 200
    assert act_on_list(client, action, "nightly").status_code == 200
    assert AuditEntry.objects.filter(action=action, actor="grace").exists()


@pytest.mark.parametrize("action", ACTIONS)
def test_who_may_only_look_can_do_nothing(staff: Staff, nightly: Job, action: str) -> None:
    client = staff("view_job")
    assert client.get(LIST).context["action_form"] is None
    assert act_on_list(client, action, "nightly").status_code == 403
    assert press(client, action).status_code == 403
    assert not AuditEntry.objects.exists()


def test_who_may_act_but_not_look_can_do_nothing(staff: Staff, nightly: Job) -> None:
    client = staff("pause_job")
    assert act_on_list(client, "pause", "nightly").status_code == 403
    assert press(client, "pause").status_code == 403
    assert not AuditEntry.objects.exists()


def test_button_needs_a_post(admin_client: Client, nightly: Job) -> None:
    assert admin_client.get(f"{LIST}nightly/pause/").status_code == 405


def test_button_needs_the_csrf_token(staff: Staff, nightly: Job) -> None:
    client = staff("view_job", "pause_job", enforce_csrf_checks=True)
    assert press(client, "pause").status_code == 403
    token = client.get(f"{LIST}nightly/change/").context["csrf_token"]
    data = {"csrfmiddlewaretoken": str(token)}
    assert client.post(f"{LIST}nightly/pause/", data).status_code == 302
    assert Job.objects.get().is_paused


def test_visitor_is_sent_to_sign_in(client: Client, nightly: Job) -> None:
    response = client.post(f"{LIST}nightly/pause/")
    assert response.status_code == 302
    assert "/admin/login/" in response["Location"]
    assert not Job.objects.get().is_paused
