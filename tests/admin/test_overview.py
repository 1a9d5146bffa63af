"""The overview: what happened, what runs, what comes."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from scheduler_app import control
from scheduler_app.admin import overview
from scheduler_app.control import Actor
from scheduler_app.models import (
    AuditEntry,
    Heartbeat,
    Job,
    JobRun,
    Node,
    Rollup,
    RunState,
    Surface,
    row_id,
    timetable_rows,
)
from scheduler_app.models.rollup import Span, bucket, packed
from tests.admin.conftest import NOW
from tests.spoilt import SPOILT, spoil

pytestmark = pytest.mark.django_db
Page = Callable[..., str]
MakeJob = Callable[..., Job]
MakeRun = Callable[..., JobRun]
URL = "/admin/scheduler_app/"
ADA = Actor("ada", Surface.CODE)


def words(html: str) -> str:
    """The text of a part of a page."""
    text = re.sub(r"<title>.*?</title>|<[^>]+>", " ", html)
    return " ".join(text.replace("\xa0", " ").replace("&nbsp;", " ").split())


def part(html: str, heading: str) -> str:
    """The part of the page under this heading."""
    return html.split(f"<h2>{heading}")[1].split("<h2>")[0]


@pytest.fixture
def alive() -> Node:
    return Node.objects.create(name="here:1")


def takes_usually(name: str, duration: timedelta) -> None:
    Rollup.objects.create(
        job_name=name,
        span=Span.WEEK,
        begin=Span.WEEK.begin(timezone.now()),
        success=9,
        durations=packed({bucket(duration): 9}),
    )


@pytest.mark.parametrize("path", ["", "overview/"])
def test_index_of_the_app_and_its_own_page_show_the_same(
    page: Page, make_job: MakeJob, make_run: MakeRun, path: str
) -> None:
    make_job("nightly")
    make_run("nightly", RunState.FAILED, message="boom")
    html = page(path)
    for heading in ("Needs you", "Running now", "Next 2 hours", "Paused", "Time-line"):
        assert html.count(f"<h2>{heading}") == 1, heading
    assert html.count('<div class="scheduler-state') == 1
    assert "<title>Scheduler overview |" in html


def test_overview_is_first_in_the_side_bar(admin_client: Client) -> None:
    context = admin_client.get(URL + "job/").context
    [ours] = [app for app in context["available_apps"] if app["app_label"] == "scheduler_app"]
    assert ours["models"][0]["admin_url"] == f"{URL}overview/"
    assert ours["models"][0]["name"].strip() == "Overview"


def test_overview_has_no_rows_of_its_own(admin_client: Client, make_job: MakeJob) -> None:
    make_job("nightly")
    assert admin_client.get(f"{URL}overview/add/").status_code == 403
    for path in ("nightly/change/", "nightly/history/", "nightly/delete/"):
        assert admin_client.get(f"{URL}overview/{path}").status_code in (302, 403)
    assert Job.objects.exists()


def test_line_of_a_job_that_failed(page: Page, make_job: MakeJob, make_run: MakeRun) -> None:
    make_job("nightly")
    good = make_run("nightly", minutes_ago=600)
    make_run("nightly", RunState.MISSED, minutes_ago=9)
    failed = make_run("nightly", RunState.FAILED, minutes_ago=5, message="boom\nand more")
    needs = part(page(""), "Needs you")
    assert f'href="{URL}job/nightly/change/"' in needs
    assert f'href="{URL}jobrun/{failed.pk}/change/">boom</a>' in needs
    assert f'href="{URL}jobrun/{good.pk}/change/"' in needs
    assert "and more" not in needs
    assert words(needs).startswith("1 job, since")
    assert f'formaction="{URL}jobrun/{failed.pk}/retry/"' in needs
    assert f'formaction="{URL}job/nightly/pause/"' in needs


def test_recovered_job_is_grey(page: Page, make_run: MakeRun) -> None:
    make_run("nightly", RunState.FAILED, minutes_ago=9, message="boom")
    assert "is-over" not in page("")
    make_run("nightly")
    needs = part(page(""), "Needs you")
    assert '<tbody class="is-over">' in needs
    assert words(needs).startswith("1 recovered, since")


def test_equal_errors_are_told_once(page: Page, make_run: MakeRun) -> None:
    for number in range(20):
        make_run(f"job-{number:02}", RunState.FAILED, message="Connection refused")
    needs = part(page(""), "Needs you")
    assert needs.count("Connection refused") == 1
    assert "15 more jobs with this error" in needs
    assert "job-19" in needs


def test_errors_beyond_the_first_are_folded(page: Page, make_run: MakeRun) -> None:
    for number in range(30):
        make_run(f"job-{number:02}", RunState.FAILED, message=f"error {chr(97 + number)}!")
    needs = part(page(""), "Needs you")
    shown, folded = needs.split("<details")
    assert shown.count("error ") == 20
    assert "10 more errors" in folded
    assert folded.count("error ") == 10


def test_nothing_wrong_says_so(page: Page, make_run: MakeRun) -> None:
    make_run("nightly")
    assert "Nothing: each run succeeded" in page("")


@pytest.mark.parametrize(
    ("since", "hours_ago", "is_told"),
    [
        ("12h", 11, True),
        ("12h", 13, False),
        ("24h", 23, True),
        ("24h", 25, False),
        ("7d", 99, True),
    ],
)
def test_since_when_is_chosen(
    page: Page, make_run: MakeRun, since: str, hours_ago: int, is_told: bool
) -> None:
    make_run("nightly", RunState.FAILED, minutes_ago=60 * hours_ago, message="boom")
    assert ("boom" in part(page("", since=since), "Needs you")) == is_told


def test_moment_of_ones_own_is_in_the_current_zone(
    page: Page, make_run: MakeRun, settings: Settings
) -> None:
    settings.TIME_ZONE = "Asia/Kolkata"
    make_run("nightly", RunState.FAILED, minutes_ago=90, message="boom")
    local = timezone.localtime(NOW)
    for hours, is_told in ((1, False), (2, True)):
        since = (local - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M")
        html = page("", since=since)
        assert ("boom" in part(html, "Needs you")) == is_told
        assert f'value="{since}"' in html


@pytest.mark.parametrize(
    "query",
    [
        {"since": "nonsense"},
        {"since": "9999-12-31T23:59"},
        {"since": "0001-01-01T00:00"},
        {"since": "\0"},
        {"span": "9y"},
        {"lanes": "-1"},
        {"lanes": "9" * 5000},
        {"lanes": "\N{SUPERSCRIPT TWO}"},
        {"part": "nonsense"},
        {"part": "\0<script>"},
    ],
)
def test_what_cannot_be_read_is_the_default(
    page: Page, make_run: MakeRun, query: dict[str, str]
) -> None:
    make_run("nightly", RunState.FAILED, message="boom")
    html = page("", **query)
    assert "boom" in html
    assert "<script>" not in html


def test_running_run_beside_what_is_usual(
    page: Page, make_job: MakeJob, make_run: MakeRun, alive: Node
) -> None:
    make_job("nightly")
    make_job("apart", isolated=True)
    for name in ("nightly", "apart"):
        takes_usually(name, timedelta(seconds=3))
        make_run(name, RunState.RUNNING, minutes_ago=10, node=alive, metadata={"rows": "<b>7</b>"})
    running = part(page(""), "Running now")
    assert words(running).startswith("2 runs")
    assert "here:1" in running
    assert running.count("stuck?") == 2
    assert "&lt;b&gt;7" in running
    assert "A thread cannot be killed" in running
    assert "process of its own" in running
    assert "/cancel/" in running


def test_run_of_a_dead_scheduler_is_interrupted(page: Page, make_run: MakeRun) -> None:
    old = NOW - timedelta(hours=2)
    dead = Node.objects.create(name="dead:7", started_at=old)
    Heartbeat.objects.create(node=dead, at=old)
    make_run("nightly", RunState.RUNNING, node=dead)
    html = page("")
    assert "STOPPED" in html
    assert "dead:7 died: nothing carries this run out any more" in html


def test_overdue_jobs_are_counted(page: Page, make_job: MakeJob) -> None:
    make_job("nightly", "0 0 1 1 *")
    make_job("later", "0 0 1 1 *")
    timetable_rows().filter(id=row_id("nightly")).update(next_run_time=NOW - timedelta(hours=1))
    html = page("")
    assert "1 job is overdue, since" in html
    assert "state-overdue" in part(html, "Next 2 hours")


def test_next_hours_with_the_paused_struck_through(page: Page, make_job: MakeJob) -> None:
    make_job("minutely")
    make_job("stopped")
    control.pause("stopped", by=ADA, reason="<i>new</i> disk")
    coming = part(page(""), "Next 2 hours")
    assert re.search(r"<s><a[^>]*>stopped</a></s>", coming)
    assert "paused by ada: &lt;i&gt;new&lt;/i&gt; disk" in coming
    assert "Every minute, 120&times;" in words(coming)


def test_pauses_in_force_with_their_ends(page: Page, make_job: MakeJob) -> None:
    make_job("nightly")
    control.pause("nightly", by=ADA, reason="disk", until=timezone.now() + timedelta(hours=3))
    pauses = part(page(""), "Paused")
    assert "until" in words(pauses)
    assert "disk" in pauses
    assert f'formaction="{URL}job/nightly/resume/"' in pauses


def test_bars_link_to_their_runs(page: Page, make_job: MakeJob, make_run: MakeRun) -> None:
    make_job("nightly")
    run = make_run("nightly", RunState.FAILED, minutes_ago=90)
    lanes = page("").split("overview-lanes")[1]
    assert f'<a href="{URL}jobrun/{run.pk}/change/"' in lanes
    assert 'class="bar bar-failed"' in lanes
    assert 'class="bar bar-planned"' in lanes
    assert f'<a href="{URL}jobrun/{run.pk}/change/"' not in page("", span="1h").split("lanes")[-1]


def test_lanes_come_in_pages(
    page: Page, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overview, "MOST_LANES", 2)
    for name in ("a", "b", "c"):
        make_job(name)
    html = page("")
    assert "Jobs 1 to 2 of 3." in html
    assert 'aria-label="c"' not in html
    assert 'aria-label="c"' in page("", lanes="2")


@pytest.mark.parametrize(("name", "other"), [("now", "timeline"), ("timeline", "now")])
@pytest.mark.parametrize("path", ["", "overview/"])
def test_part_that_is_asked_for_comes_alone(page: Page, path: str, name: str, other: str) -> None:
    html = page(path, part=name, since="12h")
    assert f'id="overview-{name}"' in html
    assert f'id="overview-{other}"' not in html
    assert "<html" not in html
    assert f'data-live="?since=12h&amp;span=24h&amp;lanes=1&amp;part={name}"' in html


def test_page_has_neither_inline_scripts_nor_inline_styles(
    page: Page, make_job: MakeJob, make_run: MakeRun
) -> None:
    make_job("nightly")
    make_job("stopped", paused_at=NOW)
    make_run("nightly", RunState.FAILED)
    make_run("nightly", RunState.RUNNING, minutes_ago=1)
    for path in ("", "overview/"):
        assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=", page(path))


def test_text_from_outside_is_escaped(page: Page, make_job: MakeJob, make_run: MakeRun) -> None:
    evil = '"><script>alert(1)</script>'
    make_job(evil)
    make_run(evil, RunState.FAILED, message=evil)
    node = Node.objects.create(name=evil)
    going = {"requested_by": evil, "metadata": {evil: evil}, "minutes_ago": 1}
    make_run(evil, RunState.RUNNING, node=node, **going)
    control.pause(evil, by=Actor(evil, Surface.CODE), reason=evil)
    assert evil not in page("")


@pytest.mark.parametrize("name", ["\N{ROCKET}" * 10, "a/b?c=d#e", "x" * 100, "line\nline", "%2F"])
def test_any_name_has_its_page(page: Page, make_job: MakeJob, make_run: MakeRun, name: str) -> None:
    make_job(name)
    make_run(name, RunState.FAILED, message="x" * 5000)
    make_run(name, RunState.RUNNING, minutes_ago=1, metadata={"k" * 300: ["v" * 5000]})
    assert page("").count("/job/") >= 3


def test_viewer_without_runs_sees_none(
    staff: Callable[..., Client], make_job: MakeJob, make_run: MakeRun
) -> None:
    make_job("nightly")
    make_run("nightly", RunState.FAILED, message="boom")
    make_run("nightly", RunState.RUNNING, minutes_ago=1)
    html = staff("view_job").get(URL).content.decode()
    assert "boom" not in html
    assert "Needs you" not in html
    assert "Running now" not in html
    assert "bar-failed" not in html.split("overview-legend")[0]
    assert "<h2>Next 2 hours" in html
    assert "formaction" not in html


def test_viewer_without_jobs_sees_none(
    staff: Callable[..., Client], make_job: MakeJob, make_run: MakeRun
) -> None:
    make_job("nightly")
    make_run("other", RunState.FAILED, message="boom")
    html = staff("view_jobrun").get(URL).content.decode()
    assert "boom" in html
    assert "Next 2 hours" not in html
    assert "nightly" not in html
    assert f"{URL}job/" not in html
    assert "formaction" not in html


def test_who_may_see_nothing_has_no_page(staff: Callable[..., Client]) -> None:
    client = staff()
    assert client.get(URL).status_code == 404
    assert client.get(f"{URL}overview/").status_code == 403


def test_button_leads_back_to_the_overview(admin_client: Client, make_job: MakeJob) -> None:
    make_job("nightly")
    back = f"{URL}?since=12h"
    response = admin_client.post(f"{URL}job/nightly/pause/", {"next": back})
    assert response["Location"] == back
    assert AuditEntry.objects.get().action == "pause"


@pytest.mark.parametrize("next_page", ["https://evil.example/", "//evil.example", "javascript:x"])
def test_button_leads_to_no_other_site(
    admin_client: Client, make_job: MakeJob, next_page: str
) -> None:
    make_job("nightly")
    response = admin_client.post(f"{URL}job/nightly/pause/", {"next": next_page})
    assert response["Location"] == f"{URL}job/nightly/change/"


@pytest.mark.parametrize("how", SPOILT)
def test_spoilt_row_spoils_nothing_else(
    page: Page, make_job: MakeJob, make_run: MakeRun, how: str
) -> None:
    make_job("nightly")
    make_job("spoilt")
    make_job("spoilt-and-paused")
    control.pause("spoilt-and-paused", by=ADA)
    spoil("spoilt", how, "job")
    spoil("spoilt-and-paused", how, "job")
    make_run("spoilt", RunState.RUNNING)
    html = page("")
    assert "nightly" in part(html, "Next 2 hours")
    assert "spoilt" in part(html, "Running now")
    assert "spoilt-and-paused" in part(html, "Paused")


@pytest.mark.parametrize(
    "reader", ["night", "going", "planned_jobs", "paused_jobs", "usual", "bars"]
)
def test_part_that_the_database_does_not_answer_hides_no_other(
    page: Page,
    make_job: MakeJob,
    make_run: MakeRun,
    monkeypatch: pytest.MonkeyPatch,
    reader: str,
) -> None:
    def fail(*_: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM no_such_table")

    make_job("nightly")
    make_run("nightly", RunState.FAILED)
    monkeypatch.setattr(overview, reader, fail)
    html = page("")
    assert "Parts of this page are missing." in html
    assert html.count("<h2>") >= 4
    assert "nightly" in html


def test_unknown_state_of_the_scheduler_is_no_error_page(
    page: Page, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise OperationalError("gone")

    make_job("nightly")
    monkeypatch.setattr(overview, "scheduler_health", fail)
    html = page("")
    assert "UNKNOWN" in html
    assert "nightly" in part(html, "Next 2 hours")


def test_zone_is_beside_each_time(page: Page, make_job: MakeJob, settings: Settings) -> None:
    settings.TIME_ZONE = "Asia/Kolkata"
    make_job("nightly")
    html = page("")
    assert "times in IST" in html
    assert re.search(r"<time[^>]*>\d\d:\d\d\xa0<abbr>IST</abbr></time>", html)


def test_numbers_in_drawings_have_points_in_every_language(
    page: Page, make_job: MakeJob, make_run: MakeRun, settings: Settings
) -> None:
    settings.LANGUAGE_CODE = "de"
    settings.USE_THOUSAND_SEPARATOR = True
    make_job("nightly")
    run = make_run("nightly", RunState.FAILED, minutes_ago=60)
    JobRun.objects.filter(pk=run.pk).update(id=1_234_567)
    html = page("")
    assert f"{URL}jobrun/1234567/change/" in html
    assert "1.234.567" not in html
    assert not re.search(r'\s(?:x|x1|x2|width|height)="[^"]*,', html)


@pytest.mark.parametrize("who", ["superuser", "member of the staff"])
def test_at_most_twelve_queries_however_many_rows(
    admin_client: Client,
    staff: Callable[..., Client],
    make_job: MakeJob,
    make_run: MakeRun,
    alive: Node,
    who: str,
) -> None:
    for number in range(60):
        make_job(f"job-{number}")
        make_run(f"job-{number}", RunState.FAILED, minutes_ago=9, message=f"error {number}x")
        make_run(f"job-{number}", RunState.RUNNING, minutes_ago=3, node=alive)
        make_job(f"paused-{number}", paused_at=NOW)
    rights = ("view_job", "view_jobrun", "pause_job", "trigger_job", "cancel_jobrun")
    client = admin_client if who == "superuser" else staff(*rights)
    client.get(URL)
    with CaptureQueriesContext(connection) as captured:
        assert client.get(URL).status_code == 200
    asked = [query["sql"] for query in captured if " FROM " in query["sql"]]
    assert len(asked) <= 12, asked


def test_own_site_at_another_address_keeps_its_links(
    admin_client: Client, make_job: MakeJob, make_run: MakeRun, settings: Settings
) -> None:
    settings.ROOT_URLCONF = "tests.admin.other_site"
    make_job("nightly")
    run = make_run("nightly", RunState.FAILED, message="boom")
    make_run("nightly", RunState.RUNNING, minutes_ago=1)
    for path in ("/office/scheduler_app/", "/office/scheduler_app/overview/"):
        html = admin_client.get(path).content.decode()
        assert f'href="/office/scheduler_app/jobrun/{run.pk}/change/"' in html
        assert "/admin/" not in re.sub(r'(src|href)="/?static/[^"]*"', "", html)
        assert "nightly" in part(html, "Next 2 hours")
        assert "/job/" not in html  # it lacks the page of jobs
        assert "/cancel/" in html


def test_template_without_a_request_shows_nothing() -> None:
    from django.template import Context, Template

    assert (
        not Template("{% load scheduler_app %}{% scheduler_overview %}").render(Context()).strip()
    )


def test_card_says_what_needs_a_person_and_leads_to_the_overview(
    admin_client: Client, make_job: MakeJob, make_run: MakeRun, alive: Node
) -> None:
    make_job("nightly", "0 0 1 1 *")
    make_job("stopped", paused_at=NOW)
    make_run("nightly", RunState.FAILED)
    make_run("other", RunState.RUNNING, node=alive)
    html = admin_client.get("/admin/").content.decode()
    card = words(html.split('class="scheduler-card"')[1].split("</div>")[1])
    assert f'<a href="{URL}">' in html.split('class="scheduler-card"')[1]
    assert card.startswith("Overview : 1 job needs you since")
    assert "1 running, 1 paused, next nightly" in card


def test_card_of_a_quiet_night_says_so(admin_client: Client, alive: Node) -> None:
    assert "no job needs you since" in words(admin_client.get("/admin/").content.decode())


def test_card_shows_each_part_to_who_may_see_it(
    staff: Callable[..., Client], make_job: MakeJob, make_run: MakeRun
) -> None:
    make_job("nightly")
    make_run("other", RunState.FAILED)
    html = staff("view_job").get("/admin/").content.decode()
    assert "needs you" not in html
    assert "next" in words(html)


def test_card_shows_nothing_to_who_may_see_nothing(staff: Callable[..., Client]) -> None:
    assert "scheduler-card" not in staff().get("/admin/").content.decode()


def test_card_is_no_error_page_without_an_answer(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OperationalError("gone")

    for reader in ("night", "going", "planned_jobs"):
        monkeypatch.setattr(overview, reader, fail)
    assert admin_client.get("/admin/").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_locked_table_hides_only_what_it_holds(
    admin_client: Client, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("on SQLite readers wait for nobody")
    monkeypatch.setattr(overview, "PATIENCE", 0.3)
    monkeypatch.setattr(overview, "SHORT_PATIENCE", 0.1)
    make_job("minutely")
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN; LOCK TABLE scheduler_app_jobrun IN ACCESS EXCLUSIVE MODE")
            html = admin_client.get(URL).content.decode()
    finally:
        other.close()
    assert "Parts of this page are missing." in html
    assert "minutely" in part(html, "Next 2 hours")
    assert "Needs you" not in html
