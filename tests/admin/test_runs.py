"""The history in the admin: what is listed, found and filtered."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from scheduler_app.models import Job, JobRun, Node, RunState, Trigger
from scheduler_app.status import run_search
from tests.admin.conftest import NOW, questions

pytestmark = pytest.mark.django_db
Page = Callable[..., str]
MakeRun = Callable[..., JobRun]
LIST = "/admin/scheduler_app/jobrun/"


def ids(html: str) -> list[int]:
    rows = html.partition('id="result_list"')[2].partition("</table>")[0]
    return [int(pk) for pk in re.findall(r'/jobrun/\d+/change/">#(\d+)</a> ', rows)]


def test_run_with_its_moments(page: Page, make_run: MakeRun) -> None:
    make_run("nightly", node=Node.objects.create(name="host:123"))
    html = page("jobrun/").replace("\xa0", " ")
    for text in ("nightly", ">success<", "2.0 s late", "3.0 s", "host:123", f"{NOW:%H:%M} UTC"):
        assert text in html


def test_run_that_started_on_time_is_not_called_late(page: Page, make_run: MakeRun) -> None:
    make_run("nightly", started_at=NOW + timedelta(milliseconds=400))
    assert " late" not in page("jobrun/").partition("result_list")[2].replace("\xa0", " ")


def test_only_the_first_line_of_an_error_is_listed(page: Page, make_run: MakeRun) -> None:
    make_run("nightly", RunState.FAILED, message="\n<script>boom</script>" + "x" * 500 + "\nsecond")
    html = page("jobrun/")
    assert "&lt;script&gt;boom&lt;/script&gt;xxx" in html
    assert "<script>boom" not in html
    assert "x" * 120 not in html
    assert "second" not in html


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("requests.exceptions.ConnectTimeout: gone", "ConnectTimeout: gone"),
        ("app.errors.Stop", "Stop"),
        ("www.example.com did not answer", "www.example.com did not answer"),
        ("a.b: c", "a.b: c"),
    ],
)
def test_class_of_an_error_is_listed_without_its_module(
    page: Page, make_run: MakeRun, message: str, shown: str
) -> None:
    make_run("nightly", RunState.FAILED, message=message)
    assert f'<span class="why" title="{message}">{shown}</span>' in page("jobrun/")


def test_row_for_several_occurrences_says_so(page: Page, make_run: MakeRun) -> None:
    first = NOW - timedelta(days=2)
    make_run("nightly", RunState.MISSED, occurrences=3, first_scheduled_for=first)
    html = re.sub(r"<[^>]+>", "", page("jobrun/"))
    assert f"3 occurrences since {first:%Y-%m-%d %H:%M:%S}" in html


def test_request_names_who_asked(page: Page, make_run: MakeRun) -> None:
    make_run("nightly", RunState.QUEUED, trigger=Trigger.MANUAL, requested_by="<ada>")
    assert "on request of &lt;ada&gt;" in page("jobrun/")


def test_later_attempt_leads_to_the_first(page: Page, make_run: MakeRun) -> None:
    first = make_run("nightly", RunState.FAILED)
    make_run("nightly", attempt=2, first_attempt=first)
    assert f'attempt 2 of <a href="{LIST}{first.pk}/change/">#{first.pk}' in page("jobrun/")


def test_retry_that_waits_says_until_when(page: Page, make_run: MakeRun) -> None:
    due = timezone.now() + timedelta(minutes=1)
    make_run("nightly", RunState.QUEUED, minutes_ago=9, attempt=2, due_at=due)
    html = page("jobrun/")
    assert "due <time" in html
    assert f"{due:%H:%M}" in html


def test_running_run_says_how_long_so_far(page: Page, make_run: MakeRun) -> None:
    make_run("nightly", RunState.RUNNING, minutes_ago=5)
    assert "so far" in page("jobrun/")


def test_filters_are_above_the_list_and_not_beside_it(page: Page, make_run: MakeRun) -> None:
    make_run("nightly")
    html = page("jobrun/")
    assert html.index('class="filter-line"') < html.index("result_list")
    assert "changelist-filter" not in html


def test_error_is_in_the_second_column(page: Page, make_run: MakeRun) -> None:
    make_run("nightly", RunState.FAILED, message="boom")
    row = page("jobrun/").partition("<tbody>")[2]
    cells = re.findall(r'class="field-(\w+)', row)
    assert cells[:2] == ["run", "outcome"]
    assert "boom" in row.partition("field-outcome")[2].partition("</td>")[0]


@pytest.fixture
def runs(make_job: Callable[..., Job], make_run: MakeRun) -> dict[str, JobRun]:
    make_job("nightly")
    return {
        "a": make_run("nightly", RunState.QUEUED, trigger=Trigger.MANUAL),
        "f": make_run("nightly", RunState.FAILED, message="no such row"),
        "o": make_run("other", minutes_ago=2),
        "m": make_run("other", RunState.MISSED, minutes_ago=60 * 30),
        "g": make_run("pruned-long-ago", minutes_ago=9999),
    }


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, "afomg"),
        ({"job_name": "nightly"}, "af"),
        ({"job_name": "pruned-long-ago"}, "g"),
        ({"state__exact": "failed"}, "f"),
        ({"state__in": "failed,lost,missed"}, "fm"),
        ({"trigger__exact": "manual"}, "a"),
        ({"q": "nightly"}, "af"),
        ({"q": "night"}, "af"),
        ({"q": " such row "}, "f"),
        ({"q": "nothing like it"}, ""),
        ({"ended": "12h"}, "afo"),
        ({"ended": "7d"}, "afomg"),
        ({"ended": "12h", "state__exact": "missed"}, ""),
        ({"finished_at__gte": (NOW - timedelta(days=1)).isoformat()}, "afo"),
        ({"finished_at__lt": (NOW - timedelta(days=1)).isoformat()}, "mg"),
        ({"finished_at__lt": f"{NOW - timedelta(days=1):%Y-%m-%dT%H:%M}"}, "mg"),
        ({"finished_at__gte": "", "finished_at__lt": ""}, "afomg"),
    ],
)
def test_filters_and_search(
    page: Page, runs: dict[str, JobRun], query: dict[str, str], found: str
) -> None:
    assert ids(page("jobrun/", **query)) == [runs[letter].pk for letter in found]


def test_number_of_a_run_finds_it(page: Page, runs: dict[str, JobRun]) -> None:
    assert runs["g"].pk in ids(page("jobrun/", q=str(runs["g"].pk)))


def test_range_of_ones_own_is_in_the_zone_of_the_page(
    page: Page, make_run: MakeRun, settings: Settings
) -> None:
    settings.TIME_ZONE = "Asia/Tokyo"
    run = make_run("nightly")
    local = timezone.localtime(run.finished_at)
    before = f"{local - timedelta(minutes=1):%Y-%m-%dT%H:%M}"
    after = f"{local + timedelta(minutes=1):%Y-%m-%dT%H:%M}"
    assert ids(page("jobrun/", finished_at__gte=before, finished_at__lt=after)) == [run.pk]
    assert ids(page("jobrun/", finished_at__gte=after)) == []
    html = page("jobrun/", finished_at__gte=before)
    assert f'name="finished_at__gte" value="{before}"' in html
    assert "Asia/Tokyo" in html


@pytest.mark.parametrize(
    "query",
    [
        {"state__exact": "nope"}, {"state__in": "failed,nope"}, {"ended": "nope"},
        {"trigger__exact": "x"}, {"finished_at__gte": "yesterday"}, {"id__gt": "1"},
        {"finished_at__gte": "9999-12-31T23:59"}, {"finished_at__lt": "0001-01-01"},
        {"finished_at__gte": "2026-02-30T00:00"}, {"message__contains": "x"},
    ],
)  # fmt: skip
def test_filter_that_cannot_be_understood_leads_to_the_list(
    admin_client: Client, query: dict[str, str]
) -> None:
    response = admin_client.get(LIST, query)
    assert (response.status_code, response["Location"]) == (302, f"{LIST}?e=1")


def test_filters_keep_one_another(page: Page, runs: dict[str, JobRun]) -> None:
    html = page("jobrun/", q="night", ended="24h", state__exact="failed")
    line = html.partition("Trigger</strong>")[2].partition("</div>")[0]
    for part in ("q=night", "ended=24h", "state__exact=failed", "trigger__exact=manual"):
        assert part in line
    own = html.partition('<form method="get" class="filter-range">')[2].partition("</form>")[0]
    assert 'name="q" value="night"' in own
    assert 'name="ended"' not in own


def test_job_filter_offers_the_chosen_job_even_if_it_is_gone(page: Page) -> None:
    assert re.search(r'href="\?job_name=gone"\s+class="selected"', page("jobrun/", job_name="gone"))


def test_job_filter_is_not_there_if_no_job_is_chosen(page: Page) -> None:
    assert "Job</strong>" not in page("jobrun/")


def test_list_says_that_there_is_more(
    page: Page, runs: dict[str, JobRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "There are more runs" not in page("jobrun/")
    monkeypatch.setattr(run_search, "MOST", 2)
    assert "There are more runs" in page("jobrun/")


def test_list_says_up_to_where_it_was_looked_through(
    page: Page, runs: dict[str, JobRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_search, "LOOKED_THROUGH", 1)
    html = page("jobrun/", state__exact="skipped")
    assert "Only runs that ended after <time" in html


def test_number_of_queries_does_not_depend_on_the_rows(page: Page, make_run: MakeRun) -> None:
    def queries(**query: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            page("jobrun/", **query)
        return len(questions(captured))

    def fill(numbers: range) -> None:
        for number in numbers:
            node = Node.objects.create(name=f"host:{number}", declares=["x"] * 100)
            make_run(f"job-{number}", node=node)
            make_run(f"job-{number}", RunState.RUNNING, minutes_ago=9, node=node)

    fill(range(3))
    few = queries()
    fill(range(3, 60))
    assert queries() == few <= 12
    for query in ({"q": "job"}, {"q": "1"}, {"q": "1", "state__exact": "failed", "ended": "12h"}):
        assert queries(**query) <= 12, query


def test_staff_takes_no_more_than_twelve_queries(
    staff: Callable[..., Client], make_run: MakeRun
) -> None:
    client = staff("view_jobrun", "trigger_job", "view_job", "view_node")
    make_run("nightly", RunState.RUNNING, node=Node.objects.create(name="here:1"))
    for query in ({}, {"q": "nightly"}):
        with CaptureQueriesContext(connection) as captured:
            assert client.get(LIST, query).status_code == 200
        asked = questions(captured)
        assert len(asked) <= 12, "\n".join(sql[:90] for sql in asked)


def test_list_reads_no_large_columns(page: Page, make_run: MakeRun) -> None:
    make_run("nightly", node=Node.objects.create(name="here:1"))
    with CaptureQueriesContext(connection) as captured:
        page("jobrun/")
    for column in ("traceback", "metadata", "log", "declares"):
        assert not [query for query in captured if f'"{column}"' in query["sql"]]


def test_history_cannot_be_written(admin_client: Client, make_run: MakeRun) -> None:
    run = make_run("nightly")
    for path in ("add/", f"{run.pk}/change/", f"{run.pk}/delete/"):
        assert admin_client.post(LIST + path, {"post": "yes"}).status_code == 403
    data = {"action": "delete_selected", "_selected_action": [run.pk], "post": "yes"}
    admin_client.post(LIST, data)
    assert JobRun.objects.exists()


def test_history_needs_its_own_permission(staff: Callable[..., Client]) -> None:
    client = staff("view_job")
    assert client.get(LIST).status_code == 403


def test_links_are_only_to_what_one_may_see(staff: Callable[..., Client], make_run: Any) -> None:
    make_run("nightly", node=Node.objects.create(name="here:1"))
    html = staff("view_jobrun").get(LIST).content.decode().partition("result_list")[2]
    assert "/job/nightly/" not in html
    assert "/node/" not in html
    assert "nightly" in html
