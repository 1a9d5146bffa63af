"""Pause, resume and run now in the admin."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
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
from tests.admin.confirming import act_on_jobs, asked, confirm

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


def press(client: Client, action: str, name: str = "nightly", reason: str = "") -> HttpResponse:
    return client.post(f"{LIST}{name}/{action}/", {"reason": reason}, follow=True)


def told(response: HttpResponse) -> list[tuple[str, str]]:
    return [(m.level_tag, m.message) for m in response.context["messages"]]


def test_pause_and_resume_on_the_list(admin_client: Client, make_job: Callable[..., Job]) -> None:
    for name in ("one", "two", "three"):
        make_job(name)
    response = act_on_jobs(admin_client, "pause", "one", "two")
    assert told(response) == [("success", "Paused: one, two.")]
    paused = [job.name for job in status.scheduler_status().jobs if job.state == JobState.PAUSED]
    assert paused == ["one", "two"]
    response = act_on_jobs(admin_client, "resume", "one", "three")
    assert told(response) == [("success", "Resumed: one."), ("warning", "Not paused: three.")]
    assert status.job_status("one").next_run is not None


def test_run_now_queues_a_run_and_leaves_it_to_a_scheduler(
    admin_client: Client, nightly: Job
) -> None:
    response = act_on_jobs(admin_client, "trigger", "nightly")
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


def test_refusal_is_told_on_the_form(admin_client: Client, nightly: Job) -> None:
    press(admin_client, "trigger")
    html = press(admin_client, "trigger").content.decode()
    assert "Job nightly is queued already" in html
    assert JobRun.objects.count() == 1


def test_unknown_job_is_a_message(admin_client: Client) -> None:
    assert ("error", "Job not found: nope") in told(press(admin_client, "pause", "nope"))


def test_refusals_of_some_jobs_do_not_stop_the_others(
    admin_client: Client, make_job: Callable[..., Job]
) -> None:
    make_job("gone", orphaned_at=timezone.now())
    make_job("here")
    levels = [level for level, _ in told(act_on_jobs(admin_client, "trigger", "gone", "here"))]
    assert levels == ["success", "error"]
    assert JobRun.objects.get().job_name == "here"


def test_many_jobs_make_one_bearable_message(
    admin_client: Client, make_job: Callable[..., Job]
) -> None:
    names = [f"job-{number:02}" for number in range(30)]
    for name in names:
        make_job(name)
    [(_, text)] = told(act_on_jobs(admin_client, "pause", *names))
    assert text.endswith("job-19, and 10 more.")


def test_message_is_escaped(admin_client: Client, make_job: Callable[..., Job]) -> None:
    make_job("<script>x")
    assert b"<script>x" not in act_on_jobs(admin_client, "pause", "<script>x").content


def test_reason_that_is_too_long_is_refused(admin_client: Client, nightly: Job) -> None:
    page = press(admin_client, "pause", reason="x" * 501)
    assert page.context["form"].errors["reason"]
    assert not AuditEntry.objects.exists()


def test_reason_with_a_nul_byte_is_refused(admin_client: Client, nightly: Job) -> None:
    page = press(admin_client, "pause", reason="x\0y")
    assert page.context["form"].errors["reason"]
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
    expected = {"trigger": ["trigger", "backfill"]}.get(action, [action])
    assert [button.name for button in buttons] == expected
    for other in set(ACTIONS) - {action}:
        assert press(client, other).status_code == 403
        assert act_on_jobs(client, other, "nightly").status_code == 403
    assert not AuditEntry.objects.exists()
    assert press(client, action).status_code == 200
    assert act_on_jobs(client, action, "nightly").status_code == 200
    assert AuditEntry.objects.filter(action=action, actor="grace").exists()


@pytest.mark.parametrize("action", ACTIONS)
def test_who_may_only_look_can_do_nothing(staff: Staff, nightly: Job, action: str) -> None:
    client = staff("view_job")
    assert client.get(LIST).context["action_form"] is None
    assert act_on_jobs(client, action, "nightly").status_code == 403
    assert press(client, action).status_code == 403
    assert not AuditEntry.objects.exists()


def test_who_may_act_but_not_look_can_do_nothing(staff: Staff, nightly: Job) -> None:
    client = staff("pause_job")
    assert act_on_jobs(client, "pause", "nightly").status_code == 403
    assert press(client, "pause").status_code == 403
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("action", [*ACTIONS, "backfill", "edit", "revert"])
def test_looking_at_the_form_does_nothing(admin_client: Client, nightly: Job, action: str) -> None:
    etag = Job.objects.get().etag
    assert admin_client.get(f"{LIST}nightly/{action}/").status_code == 200
    assert Job.objects.get().etag == etag
    assert not AuditEntry.objects.exists()
    assert not JobRun.objects.exists()


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


def test_page_that_asks_names_the_jobs_and_what_it_will_do(
    admin_client: Client, make_job: Callable[..., Job]
) -> None:
    make_job("one")
    make_job("two", paused_at=timezone.now())
    page = asked(admin_client, "pause", "one", "two")
    assert page.context["names"] == ["one", "two"]
    assert [line.split()[0] for line in page.context["plan"]] == ["1", "1"]
    assert "will stop firing" in page.context["plan"][0]
    assert not AuditEntry.objects.exists()
    assert not Job.objects.get(name="one").is_paused


def test_many_are_paused_with_a_shared_reason_and_end(
    admin_client: Client, make_job: Callable[..., Job]
) -> None:
    names = [make_job(f"job-{number}").name for number in range(3)]
    act_on_jobs(admin_client, "pause", *names, reason="move", until="2199-01-01T10:00")
    jobs = list(Job.objects.paused())
    assert len(jobs) == 3
    assert {job.pause_reason for job in jobs} == {"move"}
    assert {f"{job.paused_until:%Y-%m-%d}" for job in jobs} == {"2199-01-01"}
    assert {entry.reason.endswith("move") for entry in AuditEntry.objects.all()} == {True}


def test_many_are_resumed_with_what_was_due_meanwhile(
    admin_client: Client, make_job: Callable[..., Job]
) -> None:
    since = timezone.now() - timedelta(minutes=10)
    names = [make_job(f"job-{number}", paused_at=since).name for number in range(2)]
    act_on_jobs(admin_client, "resume", *names, catch_up="once")
    assert sorted(JobRun.objects.values_list("job_name", flat=True)) == names
    assert not Job.objects.paused().exists()


def test_what_is_done_is_what_was_shown(admin_client: Client, make_job: Callable[..., Job]) -> None:
    make_job("one")
    page = asked(admin_client, "pause", "one", select_across="1")
    make_job("two")
    confirm(admin_client, page)
    assert list(Job.objects.paused().values_list("name", flat=True)) == ["one"]


def test_list_comes_back_as_it_was_filtered(admin_client: Client, nightly: Job) -> None:
    page = asked(admin_client, "pause", "nightly", query="?q=night&o=-1")
    assert confirm(admin_client, page).redirect_chain == [(f"{LIST}?q=night&o=-1", 302)]


def test_refused_form_of_many_is_shown_again(admin_client: Client, nightly: Job) -> None:
    page = asked(admin_client, "pause", "nightly")
    again = confirm(admin_client, page, reason="x" * 501)
    assert again.context["form"].errors["reason"]
    assert again.context["all_names"] == page.context["all_names"]
    assert not Job.objects.get().is_paused


@pytest.mark.parametrize("names", ["", "x", "{}", '[1, null, "a\\u0000b"]', "[" * 100_000])
def test_names_that_no_page_sends_change_nothing(
    admin_client: Client, nightly: Job, names: str
) -> None:
    response = admin_client.post(f"{LIST}_selected/pause/", {"names": names})
    assert response.status_code == 302
    assert not Job.objects.paused().exists()


def test_job_that_is_named_as_the_address_of_many_has_a_page(
    admin_client: Client, make_job: Callable[..., Job]
) -> None:
    make_job("_selected")
    press(admin_client, "pause", "_5Fselected")
    assert Job.objects.get().is_paused


@pytest.mark.parametrize("action", ACTIONS)
def test_many_need_the_permission_and_a_post(staff: Staff, nightly: Job, action: str) -> None:
    client = staff("view_job", "change_job")
    data = {"names": '["nightly"]'}
    assert client.post(f"{LIST}_selected/{action}/", data).status_code == 403
    assert client.get(f"{LIST}_selected/{action}/").status_code == 405
    assert not AuditEntry.objects.exists()


def test_button_leads_back_to_the_page_that_had_it(admin_client: Client, nightly: Job) -> None:
    response = admin_client.post(f"{LIST}nightly/pause/", {"next": "/admin/scheduler_app/"})
    assert response["Location"] == "/admin/scheduler_app/"
    response = admin_client.post(f"{LIST}nightly/resume/", {"next": "https://evil.example/"})
    assert response["Location"] == f"{LIST}nightly/change/"
