"""The page of one job."""

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from scheduler_app import control
from scheduler_app.admin.job_words import CATCH_UP, OVERLAP, policy_rows
from scheduler_app.control import Actor
from scheduler_app.ledger import schedules
from scheduler_app.models import Job, JobRun, Node, RunState, Surface, timetable_rows
from scheduler_app.policies import CatchUp, Overlap, Policies
from tests.admin.conftest import NOW

pytestmark = pytest.mark.django_db
URL = "/admin/scheduler_app/job/nightly/change/"
Page = Callable[..., str]
MakeJob = Callable[..., Job]
MakeRun = Callable[..., JobRun]


@pytest.fixture
def nightly(make_job: MakeJob) -> Job:
    return make_job("nightly", "0 1 * * *", description="Roll the day up.")


def text(html: str) -> str:
    """What a person reads."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).replace("\xa0", " ").split())


def sentence(html: str) -> str:
    match = re.search(r'<p class="job-sentence">(.*?)</p>', html, re.DOTALL)
    assert match
    return re.sub(r" ([.,:])", r"\1", text(match[1]))


def test_schedule_is_told_in_words_and_as_written(page: Page, nightly: Job) -> None:
    html = page("job/nightly/change/")
    for told in ("Roll the day up.", "At 01:00 every day", "0 1 * * *"):
        assert told in html


def test_sentence_after_a_success(page: Page, nightly: Job, make_run: MakeRun) -> None:
    make_run("nightly")
    told = sentence(page("job/nightly/change/"))
    assert told.startswith(f"Succeeded at {NOW + timedelta(seconds=5):%H:%M} UTC after 3.0 s.")
    assert re.search(r"Next run in \d+ (h|min|s), at .*01:00 UTC\.$", told)


def test_sentence_after_failures_in_a_row(page: Page, nightly: Job, make_run: MakeRun) -> None:
    make_run("nightly", minutes_ago=60)
    for minutes in (30, 20, 10):
        make_run("nightly", RunState.FAILED, minutes, message="boom\nmore")
    told = sentence(page("job/nightly/change/"))
    assert "third time running: boom." in told
    assert "Next try in" in told


def test_sentence_says_when_the_retry_comes(page: Page, nightly: Job, make_run: MakeRun) -> None:
    first = make_run("nightly", RunState.FAILED, message="boom")
    due = timezone.now() + timedelta(hours=2, minutes=30)
    make_run("nightly", RunState.QUEUED, attempt=2, first_attempt=first, due_at=due)
    assert sentence(page("job/nightly/change/")).endswith("Attempt 2 starts in 2 h.")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "It has never run. Next run in "),
        ({"orphaned_at": NOW}, "It does not fire: no running scheduler declares it."),
        ({"timezone": "Mars/Olympus"}, "It does not fire: Unknown time zone 'Mars/Olympus'"),
    ],
)
def test_sentence_says_why_it_does_not_fire(
    page: Page, nightly: Job, fields: dict[str, object], told: str
) -> None:
    Job.objects.update(**fields)
    assert told in sentence(page("job/nightly/change/"))


def test_sentence_says_that_nobody_claims_it(page: Page, nightly: Job) -> None:
    timetable_rows().update(next_run_time=NOW - timedelta(hours=1))
    told = sentence(page("job/nightly/change/"))
    assert re.search(r"Due for 1 h \d+ min, and no scheduler has claimed it\.", told)


def test_sentence_about_a_run_that_may_be_stuck(
    page: Page, nightly: Job, make_run: MakeRun
) -> None:
    for minutes in range(5):
        make_run("nightly", minutes_ago=500 + minutes)
    make_run("nightly", RunState.RUNNING, minutes_ago=180)
    told = sentence(page("job/nightly/change/"))
    assert re.match(r"Running for [23] h \d+ min, usually 3\.0 s\. It may be stuck\.", told)


def test_pause_says_who_why_and_until_when(page: Page, nightly: Job) -> None:
    until = NOW + timedelta(days=400)
    Job.objects.update(paused_at=NOW, paused_by="ada", pause_reason="<b>deploy", paused_until=until)
    html = page("job/nightly/change/")
    assert "&lt;b&gt;deploy" in html
    assert f"until {until:%Y-%m-%d %H:%M} UTC" in text(html)
    assert "by ada since" in text(html)


def test_override_and_declaration_are_shown(page: Page, nightly: Job) -> None:
    assert "Overrides the code" not in page("job/nightly/change/")
    Job.objects.update(overrides='{"retries": 5}', declared='{"retries": 1}', retries=5)
    assert "Overrides the code: retries 5 (the code declares 1)" in text(
        page("job/nightly/change/")
    )


def test_next_ten_occurrences_are_in_the_zone_of_the_job(
    admin_client: Client, make_job: MakeJob
) -> None:
    make_job("nightly", "30 2 * * *", timezone="Europe/Berlin", jitter=60)
    rows = admin_client.get(URL).context["occurrences"]
    assert len(rows) == 10
    assert all(re.search(r"02:30 CES?T|03:00 CEST", row.at) for row in rows)
    assert any(row.delay for row in rows)


def test_occurrence_that_others_share_is_marked(admin_client: Client, make_job: MakeJob) -> None:
    for name in ("nightly", "a", "b"):
        make_job(name, "0 1 * * *")
    first, second, *_ = admin_client.get(URL).context["occurrences"]
    assert first.notes == ["with 2 other jobs"]
    assert second.notes == []


def test_occurrences_before_the_last_one_ends_are_told_once(
    admin_client: Client, make_job: MakeJob, make_run: MakeRun
) -> None:
    make_job("nightly")
    make_run("nightly", finished_at=NOW + timedelta(minutes=9))
    context = admin_client.get(URL).context
    assert "19 of 20 take at most 8\xa0min\xa058\xa0s" in context["crowded"]
    assert all(row.notes == [] for row in context["occurrences"])


def test_occurrences_of_a_pause_are_struck_out(admin_client: Client, make_job: MakeJob) -> None:
    until = timezone.now() + timedelta(minutes=5)
    make_job("nightly", paused_at=NOW, paused_until=until)
    off = [row.is_off for row in admin_client.get(URL).context["occurrences"]]
    assert off == sorted(off, reverse=True)
    assert 1 <= sum(off) <= 6


def test_moment_is_explained(page: Page, nightly: Job, make_run: MakeRun) -> None:
    schedules.begin([nightly], {"nightly": NOW - timedelta(days=9)}, "Declared.")
    at = NOW.replace(hour=1, minute=0, second=0) - timedelta(days=1)
    make_run("nightly", RunState.SKIPPED, scheduled_for=at, due_at=at, message="<b>busy")
    html = page("job/nightly/change/", moment=f"{at:%Y-%m-%dT%H:%M}")
    assert "did not run. &lt;b&gt;busy" in html


@pytest.mark.parametrize("moment", ["x", "9999-12-31T23:59", "0001-01-01T00:00", "1" * 99])
def test_moment_that_there_is_not_is_no_error_page(page: Page, nightly: Job, moment: str) -> None:
    assert "Bad moment" in page("job/nightly/change/", moment=moment)


def test_every_policy_has_words() -> None:
    assert set(OVERLAP) == set(Overlap)
    assert set(CATCH_UP) == set(CatchUp)


@pytest.mark.parametrize(
    ("values", "name", "told"),
    [
        ({"overlap": "allow"}, "Overlap", "starts beside it."),
        ({"overlap": "queue"}, "Overlap", "one occurrence waits for its end"),
        ({"overlap": "cancel_previous"}, "Overlap", "it is cancelled for the next"),
        ({"catch_up": "once"}, "Catch-up", "the latest runs."),
        ({"catch_up": "all", "catch_up_limit": 31}, "Catch-up", "the latest 31 at most."),
        ({"pause_on_failure": 3}, "After failures", "Paused after 3 failures in a row."),
        ({"retries": 1}, "Retries", "1, after up to 1 min."),
        ({"retries": 3, "retry_delay": 2}, "Retries", "3, after up to 2 s, 4 s, 8 s."),
        ({"retries": 20}, "Retries", "20, after up to 1 min, 2 min, 4 min … 1 h."),
        ({"timeout": 1.5}, "Time limit", "Killed after 1.5 s."),
        ({"timeout": 1.5}, "Runs in", "A process of its own."),
        ({"isolated": True}, "Runs in", "A process of its own."),
    ],
)
def test_chosen_policy_is_told_in_plain_type(
    values: dict[str, object], name: str, told: str
) -> None:
    [row] = [row for row in policy_rows(Policies(**values)) if row.name == name]  # type: ignore[arg-type]
    assert told in row.words.replace("\xa0", " ")
    assert not row.is_default


def test_default_policies_are_quiet(page: Page, nightly: Job) -> None:
    html = page("job/nightly/change/")
    for row in policy_rows(Policies()):
        assert row.is_default
        assert f'<dd class="quiet">{row.words}</dd>' in html


def test_last_runs_with_those_that_have_not_ended_first(
    admin_client: Client, nightly: Job, make_run: MakeRun
) -> None:
    running = make_run("nightly", RunState.RUNNING, minutes_ago=99)
    runs = [make_run("nightly", minutes_ago=number) for number in range(12)]
    make_run("other")
    context = admin_client.get(URL).context
    assert [row.number for row in context["runs"]] == [run.pk for run in (running, *runs)][:10]
    assert context["all_runs"] == "/admin/scheduler_app/jobrun/?job_name=nightly"


def test_bars_are_as_long_as_the_runs(page: Page, nightly: Job, make_run: MakeRun) -> None:
    make_run("nightly", minutes_ago=1, finished_at=NOW - timedelta(seconds=48))
    make_run("nightly", finished_at=NOW + timedelta(seconds=22))
    html = page("job/nightly/change/")
    lengths = re.findall(r'<rect class="bar-success" y="3" width="([\d.]+)"', html)
    assert float(lengths[0]) / float(lengths[1]) == pytest.approx(2, abs=0.05)


def test_missed_run_leads_to_the_form_that_runs_it(
    admin_client: Client, nightly: Job, make_run: MakeRun
) -> None:
    run = make_run("nightly", RunState.MISSED)
    html = admin_client.get(URL).content.decode()
    [query] = re.findall(r'href="\.\./backfill/(\?span=[\d-]+)"', html)
    form = admin_client.get(f"/admin/scheduler_app/job/nightly/backfill/{query}").context["form"]
    assert form.initial["since"] == run.scheduled_for
    assert form.initial["until"] == run.scheduled_for + timedelta(seconds=1)


def test_plots_have_a_bar_a_run_and_lead_to_it(page: Page, nightly: Job, make_run: MakeRun) -> None:
    runs = [make_run("nightly", minutes_ago=number) for number in range(5)]
    make_run("nightly", RunState.SKIPPED, minutes_ago=9)
    plots = page("job/nightly/change/").split('<div class="job-plots">')[1]
    for run in runs:
        assert plots.count(f"/jobrun/{run.pk}/change/") == 2
    assert plots.count("<rect") == 10


def test_history_has_what_people_did_and_what_deploys_changed(
    admin_client: Client, page: Page, nightly: Job, make_job: MakeJob
) -> None:
    schedules.begin([nightly], {"nightly": NOW - timedelta(days=1)}, "Declared.")
    control.pause("nightly", by=Actor("ada", Surface.CLI), reason="<i>maintenance</i>")
    control.pause("nightly", by=Actor("grace", Surface.GRPC))
    control.pause(make_job("other").name, by=Actor("mallory", Surface.GRPC))
    history = admin_client.get(URL).context["history"]
    told = [(text(row.what), row.who) for row in history["rows"]]
    assert told == [
        ("pause (no change)", "grace, gRPC"),
        ("pause paused 0 1 * * * UTC", "ada, command line"),  # the act and the period it began
        ("active 0 1 * * * UTC", ""),
    ]
    html = page("job/nightly/change/")
    assert "&lt;i&gt;maintenance&lt;/i&gt;" in html
    assert "mallory" not in html
    for url in history["links"].values():
        assert "maintenance" in admin_client.get(url).content.decode()


def test_queries_are_few_whatever_the_history(page: Page, nightly: Job, make_run: MakeRun) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            page("job/nightly/change/")
        return len(captured)

    def fill(numbers: range) -> None:
        for number in numbers:
            first = make_run("nightly", RunState.FAILED, minutes_ago=number)
            make_run("nightly", minutes_ago=number, attempt=2, first_attempt=first)
            schedules.begin([nightly], {"nightly": NOW}, "Again.")

    fill(range(2))
    few = queries()
    fill(range(2, 9))
    assert queries() == few


def test_state_of_the_scheduler_is_shown(page: Page, nightly: Job) -> None:
    assert "STOPPED" in page("job/nightly/change/")
    Node.objects.create(name="host:123")
    assert "on host:123" in page("job/nightly/change/")


def test_text_from_outside_is_escaped(page: Page, nightly: Job, make_run: MakeRun) -> None:
    evil = '"><script>boom</script>'
    make_run("nightly", RunState.FAILED, message=f"{evil}\n" + "x" * 5000)
    Job.objects.update(
        description=evil, paused_at=NOW, paused_by=evil, pause_reason=evil, timezone=evil
    )
    html = page("job/nightly/change/")
    assert evil not in html
    assert "&quot;&gt;&lt;script&gt;boom" in html


def test_buttons_fit_the_state(admin_client: Client, nightly: Job) -> None:
    def buttons() -> list[str]:
        return [act.name for act in admin_client.get(URL).context["buttons"]]

    assert buttons() == ["trigger", "pause", "backfill", "edit"]
    Job.objects.update(paused_at=NOW, overrides='{"retries": 1}')
    assert buttons() == ["trigger", "resume", "backfill", "edit", "revert"]
    Job.objects.update(orphaned_at=NOW)
    assert buttons() == ["resume", "edit", "revert", "remove"]


def test_who_may_only_look_at_jobs_sees_no_buttons_runs_and_history(
    staff: Callable[..., Client], nightly: Job, make_run: MakeRun
) -> None:
    make_run("nightly", RunState.MISSED)
    make_run("nightly", minutes_ago=1)
    response = staff("view_job").get(URL)
    assert response.status_code == 200
    context = response.context
    assert (context["buttons"], context["runs"], context["history"]) == ([], None, None)
    html = response.content.decode()
    assert "/jobrun/" not in html
    assert "job-plots" not in html
    assert "backfill" not in html


def test_unknown_job_leads_back(admin_client: Client) -> None:
    response = admin_client.get("/admin/scheduler_app/job/nope/change/", follow=True)
    assert "nope" in str(next(iter(response.context["messages"])))


def test_name_with_underscores_and_dots_has_a_page(page: Page, make_job: MakeJob) -> None:
    make_job("import_prices.v2")
    assert "/job/import_5Fprices.v2/change/" in page("job/")
    assert "import_prices.v2" in page("job/import_5Fprices.v2/change/")


def test_values_of_the_last_run_are_shown_as_json(
    page: Page, nightly: Job, make_run: MakeRun
) -> None:
    make_run("nightly", metadata={"items": 42, "note": "<b>ü</b>"})
    html = page("job/nightly/change/")
    assert "&quot;items&quot;: 42,\n" in html
    assert "&lt;b&gt;ü&lt;/b&gt;" in html


def test_page_reads_in_german(
    page: Page, nightly: Job, make_run: MakeRun, settings: Settings
) -> None:
    settings.LANGUAGE_CODE = "de"
    settings.USE_THOUSAND_SEPARATOR = True
    for minutes in range(3):
        make_run("nightly", minutes_ago=minutes, pk=123_456 + minutes)
    html = page("job/nightly/change/")
    for value in re.findall(r' (?:x|y|width|height|d|viewBox)="([^"]*)"', html):
        assert not re.search(r"\d,\d", value), value
    assert "/jobrun/123456/change/" in html
