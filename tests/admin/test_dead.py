"""What every page and every action says when no scheduler runs, or none works."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from scheduler_app import control, status
from scheduler_app.control import Actor
from scheduler_app.models import (
    AuditEntry,
    Heartbeat,
    Job,
    JobRun,
    Node,
    RunState,
    Surface,
    timetable_rows,
)
from tests.admin.confirming import confirm

pytestmark = pytest.mark.django_db
Page = Callable[..., str]
MakeJob = Callable[..., Job]
MakeRun = Callable[..., JobRun]
NOW = timezone.now()
DIED = NOW - timedelta(hours=1)
MODELS = ("auditentry", "job", "jobrun", "node", "scheduleperiod")


@pytest.fixture(autouse=True)
def patient(settings: Settings) -> None:
    """One heartbeat is enough for the longest of these tests."""
    settings.SCHEDULER = {"heartbeat": 60}


@pytest.fixture
def dead() -> Node:
    node = Node.objects.create(name="here:7", started_at=NOW - timedelta(hours=2))
    Heartbeat.objects.create(node=node, at=DIED)
    return node


@pytest.fixture
def stuck() -> Node:
    node = Node.objects.create(name="here:8")
    Heartbeat.objects.create(node=node, problem="every claim fails", problem_since=DIED)
    return node


def banner_of(html: str) -> str:
    text = html.split('<div class="scheduler-state')[1].split("</div>")[0]
    return " ".join(text.split())


def rows(make_job: MakeJob) -> None:
    make_job("nightly")
    by = Actor("ada", Surface.CODE)
    control.pause("nightly", by=by)
    control.trigger("nightly", by=by)


@pytest.mark.parametrize("model", MODELS)
def test_every_list_says_stopped_and_since_when(
    page: Page, make_job: MakeJob, dead: Node, model: str
) -> None:
    rows(make_job)
    banner = banner_of(page(f"{model}/"))
    assert "STOPPED" in banner
    assert f"{DIED:%H:%M:%S}" in banner
    assert "no heartbeat of here:7" in banner


@pytest.mark.parametrize("model", MODELS)
def test_every_page_of_a_row_says_stopped(
    page: Page, make_job: MakeJob, dead: Node, model: str
) -> None:
    rows(make_job)
    models = {each._meta.model_name: each for each in _models()}
    row = models[model].objects.first()
    for view in ("change", "history"):
        html = page(f"{model}/{row.pk}/{view}/")
        assert "STOPPED" in banner_of(html), view
        assert html.count('<div class="scheduler-state') == 1, view


@pytest.mark.parametrize("path", ["/admin/", "/admin/scheduler_app/"])
def test_every_index_says_stopped_and_since_when(
    admin_client: Client, dead: Node, path: str
) -> None:
    html = admin_client.get(path).content.decode()
    banner = banner_of(html)
    assert "STOPPED" in banner
    assert f"{DIED:%H:%M:%S}" in banner
    assert "no heartbeat of here:7" in banner
    assert html.count('<div class="scheduler-state') == 1
    assert "scheduler_app/admin.css" in html


def test_index_says_nothing_to_who_may_not_see_the_scheduler(
    staff: Callable[..., Client], dead: Node
) -> None:
    response = staff().get("/admin/")
    assert response.status_code == 200
    assert b"scheduler-state" not in response.content


def _models() -> tuple[Any, ...]:
    from scheduler_app.models import SchedulePeriod

    return (AuditEntry, Job, JobRun, Node, SchedulePeriod)


def test_scheduler_that_does_not_work_is_not_running(page: Page, stuck: Node) -> None:
    banner = banner_of(page("job/"))
    assert "NOT WORKING" in banner
    assert "every claim fails" in banner
    assert f"{DIED:%H:%M:%S}" in banner
    nodes = page("node/").split("result_list")[1]
    assert "not working" in nodes
    assert "every claim fails" in nodes


def test_stuck_scheduler_beside_a_working_one_is_named(page: Page, stuck: Node) -> None:
    Node.objects.create(name="here:9")
    html = page("job/")
    assert "RUNNING</span> on here:9" in banner_of(html)
    assert "here:8 does not work: every claim fails" in html


def test_banner_without_an_answer_is_no_error_page(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(status, "scheduler_health", fail)
    assert "UNKNOWN" in banner_of(page("job/"))


Act = Callable[[str, Any, str], tuple[str, str]]


@pytest.fixture(params=["the button", "the list"])
def act(request: pytest.FixtureRequest, admin_client: Client) -> Act:
    """Act on one row by either way; what the user is told of it, and how."""

    def _act(model: str, key: Any, action: str) -> tuple[str, str]:
        url, data = f"/admin/scheduler_app/{model}/", {"action": action, "_selected_action": key}
        if request.param == "the button":
            url, data = f"{url}{key}/{action}/", {}
        answer = admin_client.post(url, data, follow=True)
        if model == "job" and request.param == "the list":
            answer = confirm(admin_client, answer)
        [message] = answer.context["messages"]
        return message.level_tag, message.message

    return _act


@pytest.mark.parametrize(
    ("action", "done"), [("resume", "Resumed"), ("trigger", "Queued, to run as soon as possible")]
)
def test_action_that_needs_a_scheduler_is_a_warning_without_one(
    act: Act, make_job: MakeJob, dead: Node, action: str, done: str
) -> None:
    make_job("nightly", paused_at=NOW)
    since = f"{DIED:%Y-%m-%d %H:%M:%S} UTC"
    assert act("job", "nightly", action) == (
        "warning",
        f"{done}, but no scheduler has been running since {since}: nightly.",
    )


def test_pause_takes_effect_without_a_scheduler(act: Act, make_job: MakeJob, dead: Node) -> None:
    make_job("nightly")
    assert act("job", "nightly", "pause") == ("success", "Paused: nightly.")
    assert status.job_status("nightly").is_paused


def test_cancel_of_a_queued_run_takes_effect_without_a_scheduler(
    act: Act, make_run: MakeRun, dead: Node
) -> None:
    run = make_run("nightly", RunState.QUEUED)
    assert act("jobrun", run.pk, "cancel") == ("success", f"Cancelled: run {run.pk}.")
    run.refresh_from_db()
    assert run.state == RunState.CANCELLED


def test_cancel_of_a_run_whose_scheduler_died_is_a_warning(
    act: Act, make_run: MakeRun, dead: Node
) -> None:
    run = make_run("nightly", RunState.RUNNING, node=dead)
    level, text = act("jobrun", run.pk, "cancel")
    assert level == "warning"
    assert text.startswith("Asked to end, but no scheduler has been running since ")


def test_action_while_none_works_says_why(
    admin_client: Client, make_job: MakeJob, stuck: Node
) -> None:
    make_job("nightly")
    url = "/admin/scheduler_app/job/nightly/trigger/"
    [message] = admin_client.post(url, follow=True).context["messages"]
    assert message.level_tag == "warning"
    assert "no scheduler has worked since" in message.message
    assert "every claim fails" in message.message


def test_run_of_a_dead_scheduler_is_interrupted_everywhere(
    page: Page, make_job: MakeJob, make_run: MakeRun, dead: Node
) -> None:
    make_job("nightly")
    run = make_run("nightly", RunState.RUNNING, node=dead)
    for path in ("job/", "job/nightly/change/", "jobrun/", f"jobrun/{run.pk}/change/"):
        html = page(path)
        assert "was running when here:7 died" in html, path
        assert "state-running" not in html, path
    assert "nightly" in page("job/", state="interrupted").split("result_list")[1]
    assert "result_list" not in page("job/", state="running")


def test_job_that_nobody_claims_is_overdue(page: Page, make_job: MakeJob) -> None:
    make_job("nightly")
    timetable_rows().update(next_run_time=DIED)
    for path in ("job/", "job/nightly/change/"):
        html = page(path)
        assert "state-overdue" in html, path
    assert "nightly" in page("job/", state="overdue").split("result_list")[1]
    assert "result_list" not in page("job/", state="idle")


def test_run_that_takes_long_comes_with_advice(
    page: Page, make_job: MakeJob, make_run: MakeRun
) -> None:
    make_job("nightly")
    make_job("apart", isolated=True)
    node = Node.objects.create(name="here:9")
    for name in ("nightly", "apart"):
        for number in range(3):
            make_run(name, minutes_ago=400 + number)
    long, apart = (
        make_run(name, RunState.RUNNING, minutes_ago=180, node=node)
        for name in ("nightly", "apart")
    )
    html = page(f"jobrun/{long.pk}/change/")
    assert "usually 3.0 s" in html
    assert "A thread cannot be killed" in html
    assert "restart scheduler here:9" in html
    assert "process of its own" in page(f"jobrun/{apart.pk}/change/")


def test_run_that_takes_as_long_as_usual_has_no_advice(
    page: Page, make_job: MakeJob, make_run: MakeRun
) -> None:
    make_job("nightly")
    make_run("nightly", minutes_ago=400)
    run = make_run("nightly", RunState.RUNNING)
    JobRun.objects.filter(pk=run.pk).update(started_at=timezone.now())
    assert "cannot be killed" not in page(f"jobrun/{run.pk}/change/")
