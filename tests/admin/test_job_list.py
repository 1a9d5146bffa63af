"""The list of jobs."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from scheduler_app import status
from scheduler_app.admin.job import JobAdmin
from scheduler_app.models import Job, JobRun, Node, RunState, timetable_rows
from scheduler_app.models.rollup import Rollup, Span, packed
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
    make_job("nightly", "0 1 * * *", timezone="Europe/Berlin")
    run = make_run("nightly", minutes_ago=180)
    html = page("job/")
    assert cell(html, "job_state") == "IDLE"
    assert cell(html, "last_result") in ("success 2 h ago", "success 3 h ago")
    assert cell(html, "usual") == "3.0 s"
    assert cell(html, "lateness") == "2.0 s"
    assert cell(html, "failure_rate") == "0%"
    assert f"/admin/scheduler_app/jobrun/{run.pk}/change/" in html


def test_job_that_never_ran(page: Page, make_job: MakeJob) -> None:
    make_job("nightly")
    html = page("job/")
    assert cell(html, "last_result") == "never ran"
    assert cell(html, "strip") == "No results yet"
    assert cell(html, "usual") == "-"


def test_next_run_is_the_one_of_status(page: Page, make_job: MakeJob) -> None:
    make_job("nightly", "0 0 1 1 *", jitter=300)
    due = status.job_status("nightly").next_run
    assert due is not None
    html = page("job/")
    assert f'title="{due:%Y-%m-%d %H:%M:%S} UTC"' in html
    assert cell(html, "next_run").startswith("in ")
    assert cell(html, "next_run").endswith("UTC")


def test_paused_job_says_until_when_and_why(page: Page, make_job: MakeJob) -> None:
    until = NOW + timedelta(days=2)
    pause = {"paused_at": NOW, "paused_by": "ada", "pause_reason": "move", "paused_until": until}
    make_job("nightly", **pause)
    html = page("job/")
    assert cell(html, "job_state") == "PAUSED"
    words = f"paused since {NOW:%Y-%m-%d %H:%M:%S} UTC by ada until {until:%Y-%m-%d %H:%M:%S} UTC"
    assert f'title="{words}: move"' in html
    assert cell(html, "next_run").startswith("paused until ")


def test_paused_job_without_an_end_has_no_next_run(page: Page, make_job: MakeJob) -> None:
    make_job("nightly", paused_at=NOW)
    assert cell(page("job/"), "next_run") == "-"


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
    make_job("nightly")
    make_run("nightly", minutes_ago=60)
    make_run("nightly", state, message=f"It was {state}.\nmore")
    told = cell(page("job/"), "last_result")
    assert told.startswith(state)
    assert told.endswith(f"It was {state}.")


def test_strip_has_the_last_twenty_results(
    page: Page, make_job: MakeJob, make_run: MakeRun
) -> None:
    make_job("nightly")
    for minutes in range(25):
        failed = minutes in (3, 4, 22)
        make_run("nightly", RunState.FAILED if failed else RunState.SUCCESS, minutes)
    html = page("job/")
    assert cell(html, "strip") == "Last 20 results: 18 success, 2 failed"
    [bars] = re.findall(r'<path class="bar-failed" d="([^"]*)"', html)
    assert bars.count("M") == 2


def test_run_that_took_much_longer_is_marked(
    page: Page, make_job: MakeJob, make_run: MakeRun
) -> None:
    make_job("nightly")
    for minutes in range(1, 10):
        make_run("nightly", minutes_ago=minutes)
    assert "slow" not in cell(page("job/"), "usual")
    make_run("nightly", RunState.FAILED, finished_at=NOW + timedelta(seconds=62))
    assert cell(page("job/"), "usual") == "slow 3.0 s"
    assert 'title="1\xa0min\xa00\xa0s, usually 3.0\xa0s"' in page("job/")


def test_run_that_lasts_much_longer_may_be_stuck(
    page: Page, make_job: MakeJob, make_run: MakeRun
) -> None:
    make_job("nightly")
    for minutes in range(5):
        make_run("nightly", minutes_ago=500 + minutes)
    make_run("nightly", RunState.RUNNING, minutes_ago=300)
    assert cell(page("job/"), "usual") == "stuck? 3.0 s"


def test_times_are_shown_in_the_current_time_zone(
    page: Page, make_job: MakeJob, settings: object
) -> None:
    settings.TIME_ZONE = "Asia/Kolkata"  # type: ignore[attr-defined]
    make_job("nightly", "0 0 1 1 *")
    html = page("job/")
    assert "05:30 IST" in cell(html, "next_run")
    assert "05:30:00 IST" in html


def test_running_scheduler_is_named_above_the_list(page: Page) -> None:
    Node.objects.create(name="host:123")
    assert "RUNNING</span> on host:123" in " ".join(page("job/").split())


def test_stopped_scheduler_comes_with_what_to_type(page: Page) -> None:
    Node.objects.create(name="host:123", stopped_at=NOW)
    html = page("job/")
    assert "STOPPED" in html
    assert "python manage.py runscheduler" in html
    assert "host:123" not in html


def test_search_by_name_and_description(page: Page, make_job: MakeJob) -> None:
    make_job("nightly", description="Roll the day up.")
    make_job("roll-up")
    make_job("other")
    assert names(page("job/", q="roll")) == ["nightly", "roll-up"]


@pytest.mark.parametrize(
    ("column", "found"),
    [
        ("5", ["soon", "later", "paused"]),
        ("-5", ["later", "soon", "paused"]),
        ("3", ["later", "soon", "paused"]),
        ("-3", ["soon", "later", "paused"]),
    ],
)
def test_order_has_what_lacks_the_value_last(
    page: Page, make_job: MakeJob, make_run: MakeRun, column: str, found: list[str]
) -> None:
    for name, minutes in (("soon", 1), ("later", 9)):
        make_job(name)
        due = NOW + timedelta(minutes=minutes)
        timetable_rows().filter(id__endswith=name).update(next_run_time=due)
        make_run(name, minutes_ago=minutes)
    make_job("paused", paused_at=NOW)
    assert names(page("job/", o=column)) == found


def test_text_from_outside_is_escaped(page: Page, make_job: MakeJob, make_run: MakeRun) -> None:
    evil = '"><script>alert(1)</script>'
    make_job(evil, description=evil, app=evil)
    make_job("other", paused_at=NOW, paused_by=evil, pause_reason=evil)
    make_run(evil, RunState.FAILED, message=evil)
    Node.objects.create(name=evil)
    html = page("job/")
    assert evil not in html
    assert html.count("&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;") >= 4


def test_page_has_neither_inline_scripts_nor_inline_styles(
    page: Page, make_job: MakeJob, make_run: MakeRun
) -> None:
    make_job("nightly", overrides='{"retries": 1}', declared='{"retries": 0}')
    run = make_run("nightly", RunState.FAILED)
    make_run("nightly", minutes_ago=1)
    pages = [f"job/nightly/{view}/" for view in ("change", "edit", "backfill", "pause", "revert")]
    for path in ("job/", *pages, "jobrun/", f"jobrun/{run.pk}/change/"):
        html = page(path)
        assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=", html), path


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
    fill(range(3, 40))
    assert (queries(), queries(state="failing")) == few


def test_row_cannot_be_changed_or_deleted(admin_client: Client, make_job: MakeJob) -> None:
    make_job("nightly", orphaned_at=NOW)
    for action in ("change", "delete"):
        url = f"/admin/scheduler_app/job/nightly/{action}/"
        assert admin_client.post(url, {"post": "yes", "cron": "@daily"}).status_code == 403
    assert Job.objects.get().cron == "* * * * *"


def test_list_needs_the_view_permission(staff: Callable[..., Client]) -> None:
    assert staff("view_jobrun").get("/admin/scheduler_app/job/").status_code == 403


def test_run_is_no_link_for_who_may_not_see_runs(
    staff: Callable[..., Client], make_job: MakeJob, make_run: MakeRun
) -> None:
    make_job("nightly")
    make_run("nightly")
    html = staff("view_job").get("/admin/scheduler_app/job/").content.decode()
    assert cell(html, "last_result").startswith("success")
    assert "/jobrun/" not in html


FIGURES = {  # name: runs, failures, bucket of duration, bucket of lateness
    "quick": (100, 0, 20, 30),
    "slow": (50, 10, 60, 10),
    "flaky": (10, 90, 40, 20),
}


@pytest.mark.parametrize(
    ("order", "found"),
    [
        ("6", ["quick", "flaky", "slow", "unknown"]),
        ("-6", ["slow", "flaky", "quick", "unknown"]),
        ("-7", ["flaky", "slow", "quick", "unknown"]),
        ("8", ["slow", "flaky", "quick", "unknown"]),
        ("-8", ["quick", "flaky", "slow", "unknown"]),
    ],
)
def test_order_by_what_is_usual(
    page: Page, make_job: MakeJob, order: str, found: list[str]
) -> None:
    week = Span.WEEK.begin(NOW)
    for name, (success, failed, duration, lateness) in FIGURES.items():
        make_job(name)
        Rollup.objects.create(
            job_name=name, span=Span.WEEK, begin=week, success=success, failed=failed,
            durations=packed({duration: success}), latenesses=packed({lateness: success}),
        )  # fmt: skip
    make_job("unknown")
    html = page("job/", o=order)
    assert names(html) == found
    assert "17%" in html


def test_order_by_what_is_usual_keeps_its_pages(
    page: Page, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(JobAdmin, "list_per_page", 2)
    for name in ("a", "b", "c"):
        make_job(name)
        values = {"begin": Span.WEEK.begin(NOW), "success": ord("z") - ord(name)}
        Rollup.objects.create(job_name=name, span=Span.WEEK, failed=1, **values)
    assert names(page("job/", o="-7")) == ["c", "b"]
    assert names(page("job/", o="-7", p="2")) == ["a"]
    assert names(page("job/", o="-7", all="")) == ["c", "b", "a"]


@pytest.mark.parametrize("order", ["", "-6", "5", "-3", "7"])
def test_list_takes_twelve_queries_at_most(
    page: Page, make_job: MakeJob, make_run: MakeRun, order: str
) -> None:
    make_job("nightly")
    make_run("nightly")
    make_run("nightly", RunState.RUNNING, minutes_ago=1)
    for path in ("job/", "job/nightly/change/"):
        page(path)
        with CaptureQueriesContext(connection) as captured:
            page(path, o=order)
        asked = [each["sql"] for each in captured if is_a_question(each["sql"])]
        assert len(asked) <= 12, "\n".join(asked)


def is_a_question(sql: str) -> bool:
    """Whether it asks for rows: not what only sets a time limit, or looks at the clock; nor at the
    last life of a scheduler, which is of interest only while none lives."""
    others = ("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT", "SET", "SHOW")
    looks = ("SELECT set_config", "SELECT clock_timestamp", "SELECT MAX(CASE")
    return not sql.startswith((*others, *looks))
