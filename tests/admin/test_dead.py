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
from scheduler_app.models import AuditEntry, Heartbeat, Job, JobRun, Node, RunState, Surface

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
    assert "STOPPED" in banner_of(page(f"{model}/{row.pk}/change/"))


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


@pytest.mark.parametrize("action", ["pause", "trigger"])
def test_action_without_a_scheduler_is_a_warning(
    admin_client: Client, make_job: MakeJob, dead: Node, action: str
) -> None:
    make_job("nightly")
    url = f"/admin/scheduler_app/job/nightly/{action}/"
    [message] = admin_client.post(url, follow=True).context["messages"]
    assert message.level_tag == "warning"
    assert f"but no scheduler is running since {DIED:%Y-%m-%d %H:%M:%S} UTC" in message.message


def test_action_while_none_works_says_why(
    admin_client: Client, make_job: MakeJob, stuck: Node
) -> None:
    make_job("nightly")
    url = "/admin/scheduler_app/job/nightly/trigger/"
    [message] = admin_client.post(url, follow=True).context["messages"]
    assert message.level_tag == "warning"
    assert "no scheduler works since" in message.message
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
