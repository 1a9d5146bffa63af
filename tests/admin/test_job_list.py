"""The list of jobs."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from scheduler_app import status
from scheduler_app.models import Job, JobRun, Node, RunState
from tests.admin.conftest import NOW

pytestmark = pytest.mark.django_db
Page = Callable[..., str]
MakeJob = Callable[..., Job]
MakeRun = Callable[..., JobRun]


def cell(html: str, column: str) -> str:
    """The text of the first row's cell."""
    match = re.search(rf'<t[dh] class="field-{column}[^"]*">(.*?)</t[dh]>', html, re.DOTALL)
    assert match, column
    return " ".join(re.sub(r"<[^>]+>", " ", match[1]).replace("\xa0", " ").split())


def names(html: str) -> list[str]:
    return re.findall(r'<th class="field-name"><a[^>]*>([^<]*)<', html)


def test_job_that_has_run(page: Page, make_job: MakeJob, make_run: MakeRun) -> None:
    make_job("nightly", "0 1 * * *", timezone="Europe/Berlin", run_count=7, error_count=2)
    run = make_run("nightly")
    html = page("job/")
    assert cell(html, "job_state") == "IDLE"
    assert cell(html, "schedule") == "At 01:00 every day 0 1 * * * Europe/Berlin"
    started = run.scheduled_for + timedelta(seconds=2)
    assert cell(html, "last_run") == f"{started:%Y-%m-%d %H:%M:%S} 2.0 s late, took 3.0 s"
    assert cell(html, "last_result") == "success"
    assert f"/admin/scheduler_app/jobrun/{run.pk}/change/" in html
    assert (cell(html, "run_count"), cell(html, "error_count")) == ("7", "2")


def test_job_that_never_ran(page: Page, make_job: MakeJob) -> None:
    make_job("nightly")
    html = page("job/")
    assert cell(html, "last_run") == "never"
    assert cell(html, "last_result") == "-"
    assert cell(html, "not_run") == "-"


def test_next_run_is_the_one_of_status(page: Page, make_job: MakeJob) -> None:
    make_job("nightly", jitter=300)
    due = status.job_status("nightly").next_run
    assert due is not None
    assert cell(page("job/"), "next_run") == f"{due:%Y-%m-%d %H:%M:%S}"


def test_paused_job_has_no_next_run(page: Page, make_job: MakeJob) -> None:
    make_job("nightly", paused_at=NOW)
    html = page("job/")
    assert cell(html, "job_state") == f"PAUSED paused since {NOW:%Y-%m-%d %H:%M:%S}"
    assert cell(html, "next_run") == "-"


def test_job_that_is_paused_orphaned_and_still_running_says_all(
    page: Page, make_job: MakeJob, make_run: MakeRun
) -> None:
    make_job("nightly", paused_at=NOW, orphaned_at=NOW)
    make_run("nightly", RunState.RUNNING)
    assert cell(page("job/"), "job_state").startswith("PAUSED RUNNING ORPHANED")


@pytest.mark.parametrize("state", [RunState.MISSED, RunState.SKIPPED, RunState.LOST])
def test_outcome_after_the_last_success_is_not_hidden(
    page: Page, make_job: MakeJob, make_run: MakeRun, state: RunState
) -> None:
    make_job("nightly", skip_count=1, miss_count=3)
    make_run("nightly", minutes_ago=60)
    make_run("nightly", state, message=f"It was {state}.")
    html = page("job/")
    assert cell(html, "last_result").startswith(state)
    assert f'title="It was {state}."' in html
    assert cell(html, "not_run") == "1 skipped, 3 missed"


def test_times_are_shown_in_the_current_time_zone(
    page: Page, make_job: MakeJob, make_run: MakeRun, settings: object
) -> None:
    settings.TIME_ZONE = "Asia/Kolkata"  # type: ignore[attr-defined]
    make_job("nightly")
    make_run("nightly", scheduled_for=NOW.replace(hour=3, minute=0), started_at=NOW.replace(hour=3))
    html = page("job/")
    assert cell(html, "last_run").split()[1].startswith(f"{8 + (NOW.minute >= 30):02}:")
    assert 'title="Asia/Kolkata"' in html


def test_running_scheduler_is_named_above_the_list(page: Page) -> None:
    Node.objects.create(name="host:123")
    assert "RUNNING</span> on host:123" in " ".join(page("job/").split())


def test_stopped_scheduler_comes_with_what_to_type(page: Page) -> None:
    Node.objects.create(name="host:123", stopped_at=NOW)
    html = page("job/")
    assert "STOPPED" in html
    assert "python manage.py runscheduler" in html
    assert "host:123" not in html


@pytest.mark.parametrize(
    ("state", "found"),
    [
        ("failing", ["failing", "missed"]),
        ("running", ["running"]),
        ("paused", ["paused"]),
        ("orphaned", ["orphaned"]),
        ("idle", ["failing", "fine", "missed"]),
        ("nonsense", ["failing", "fine", "missed", "orphaned", "paused", "running"]),
    ],
)
def test_filter_by_state(
    page: Page, make_job: MakeJob, make_run: MakeRun, state: str, found: list[str]
) -> None:
    for name in ("failing", "fine", "missed", "running"):
        make_job(name)
    make_job("paused", paused_at=NOW)
    make_job("orphaned", orphaned_at=NOW)
    make_run("failing", RunState.FAILED)
    make_run("fine")
    make_run("missed", RunState.MISSED)
    make_run("running", RunState.RUNNING)
    assert names(page("job/", state=state)) == found


def test_search_by_name_and_description(page: Page, make_job: MakeJob) -> None:
    make_job("nightly", description="Roll the day up.")
    make_job("roll-up")
    make_job("other")
    assert names(page("job/", q="roll")) == ["nightly", "roll-up"]


def test_text_from_outside_is_escaped(page: Page, make_job: MakeJob, make_run: MakeRun) -> None:
    evil = '"><script>alert(1)</script>'
    make_job(evil, description=evil)
    make_run(evil, RunState.FAILED, message=evil)
    Node.objects.create(name=evil)
    html = page("job/")
    assert evil not in html
    assert html.count("&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;") >= 3


def test_page_has_neither_inline_scripts_nor_inline_styles(
    page: Page, make_job: MakeJob, make_run: MakeRun
) -> None:
    make_job("nightly")
    run = make_run("nightly", RunState.FAILED)
    for path in ("job/", "job/nightly/change/", "jobrun/", f"jobrun/{run.pk}/change/"):
        html = page(path)
        assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=", html)


def test_number_of_queries_does_not_depend_on_the_rows(
    page: Page, make_job: MakeJob, make_run: MakeRun
) -> None:
    def fill(numbers: range) -> None:
        for number in numbers:
            make_job(f"job-{number}")
            make_run(f"job-{number}", minutes_ago=2)
            make_run(f"job-{number}", RunState.FAILED)

    def queries(**query: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            page("job/", **query)
        return len(captured)

    fill(range(3))
    few = queries(), queries(state="failing")
    fill(range(3, 60))
    assert (queries(), queries(state="failing")) == few


def test_job_cannot_be_added_changed_or_deleted(admin_client: Client, make_job: MakeJob) -> None:
    make_job("nightly", orphaned_at=NOW)
    assert admin_client.get("/admin/scheduler_app/job/add/").status_code == 403
    for action in ("change", "delete"):
        url = f"/admin/scheduler_app/job/nightly/{action}/"
        assert admin_client.post(url, {"post": "yes", "cron": "@daily"}).status_code == 403
    assert Job.objects.get().cron == "* * * * *"


def test_list_needs_the_view_permission(staff: Callable[..., Client]) -> None:
    assert staff("view_jobrun").get("/admin/scheduler_app/job/").status_code == 403
