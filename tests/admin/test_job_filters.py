"""The list of jobs, narrowed to those that need a look."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from pytest_django import Settings

from scheduler_app.models import Heartbeat, Job, JobRun, Node, RunState, timetable_rows
from scheduler_app.status import JobState, job_statuses
from scheduler_app.status.questions import Question
from tests.admin.conftest import NOW
from tests.admin.test_job_list import names

pytestmark = pytest.mark.django_db
Page = Callable[..., str]
MakeJob = Callable[..., Job]
MakeRun = Callable[..., JobRun]
STATES = (
    *("broken", "paused", "overdue", "running", "interrupted", "orphaned", "idle"),
    *("failing", "never", "overridden"),
)


@pytest.fixture(autouse=True)
def patient(settings: Settings) -> None:
    settings.SCHEDULER = {"heartbeat": 600}  # one is enough for the longest of these tests


@pytest.fixture
def jobs(make_job: MakeJob, make_run: MakeRun) -> None:
    """One of each kind, and some of two."""
    dead = Node.objects.create(name="here:7", stopped_at=NOW)
    living = Node.objects.create(name="here:8")
    Heartbeat.objects.create(node=living, at=NOW)
    for name in ("failing", "fine", "going", "interrupted", "missed", "never", "overdue", "back"):
        make_job(name)
    make_job("paused", paused_at=NOW)
    make_job("orphaned", orphaned_at=NOW)
    make_job("changed", overrides='{"retries": 1}', declared='{"retries": 0}')
    make_job("broken-paused", paused_at=NOW)
    make_job("broken")
    Job.objects.filter(name__startswith="broken").update(timezone="Mars/Olympus")
    make_run("failing", RunState.FAILED)
    make_run("fine")
    make_run("back", RunState.FAILED, minutes_ago=9)
    make_run("back")
    make_run("missed", RunState.MISSED)
    make_run("going", RunState.RUNNING, node=living)
    make_run("interrupted", RunState.RUNNING, node=dead)
    timetable_rows().filter(id__endswith=":overdue").update(next_run_time=NOW - timedelta(hours=1))
    Job.objects.filter(name="fine").update(run_count=1)


@pytest.mark.parametrize(
    ("state", "found"),
    [
        ("failed", ["back", "failing"]),
        ("missed", ["missed"]),
        ("failing", ["failing", "missed"]),
        ("running", ["going"]),
        ("interrupted", ["interrupted"]),
        ("overdue", ["overdue"]),
        ("late", ["overdue"]),
        ("paused", ["broken-paused", "paused"]),
        ("orphaned", ["orphaned"]),
        ("broken", ["broken", "broken-paused"]),
        ("overridden", ["changed"]),
        ("idle", ["back", "changed", "failing", "fine", "missed", "never"]),
    ],
)
def test_question_finds_its_jobs(page: Page, jobs: None, state: str, found: list[str]) -> None:
    assert names(page("job/", state=state)) == found


def test_job_whose_runs_were_pruned_has_run(page: Page, jobs: None) -> None:
    JobRun.objects.all().delete()
    assert "fine" not in names(page("job/", state="never"))
    assert "never" in names(page("job/", state="never"))


def test_question_that_there_is_not_finds_all(page: Page, jobs: None) -> None:
    assert len(names(page("job/", state="nonsense"))) == Job.objects.count()


def test_filter_agrees_with_status(page: Page, jobs: None) -> None:
    """A job is found under the very state that the list shows of it."""
    for status in job_statuses(Job.objects.all()):
        state = "idle" if status.state == JobState.IDLE else status.state.lower()
        assert status.name in names(page("job/", state=state)), state


def test_every_question_is_offered(page: Page, jobs: None) -> None:
    html = page("job/")
    for question in Question:
        assert f'href="?state={question}"' in html


@pytest.mark.parametrize(
    ("since", "found"), [("12h", []), ("24h", ["nightly"]), ("7d", ["nightly"])]
)
def test_since_bounds_what_failed(
    page: Page, make_job: MakeJob, make_run: MakeRun, since: str, found: list[str]
) -> None:
    make_job("nightly")
    make_run("nightly", RunState.FAILED, minutes_ago=13 * 60)
    assert names(page("job/", state="failed", since=since)) == found


@pytest.mark.parametrize("since", ["", "nonsense"])
def test_since_is_yesterday_evening_unless_chosen(
    page: Page, make_job: MakeJob, make_run: MakeRun, since: str
) -> None:
    make_job("nightly")
    make_job("other")
    evening = (NOW - timedelta(days=1)).replace(hour=18, minute=0, second=0)
    make_run("nightly", RunState.FAILED, finished_at=evening)
    make_run("other", RunState.FAILED, finished_at=evening - timedelta(seconds=1))
    assert names(page("job/", state="failed", since=since)) == ["nightly"]


def test_late_start_is_late(page: Page, make_job: MakeJob, make_run: MakeRun) -> None:
    for name, seconds in (("late", 61), ("punctual", 59)):
        make_job(name)
        make_run(name, minutes_ago=9, due_at=NOW - timedelta(minutes=9, seconds=seconds - 2))
    assert names(page("job/", state="late")) == ["late"]


def test_app_narrows(page: Page, make_job: MakeJob) -> None:
    make_job("one", app="shop")
    make_job("two", app="crm")
    make_job("three")
    assert names(page("job/", app="shop")) == ["one"]
    assert names(page("job/", app="-")) == ["three"]
    assert 'href="?app=crm"' in page("job/")
