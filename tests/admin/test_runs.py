"""The history in the admin."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from scheduler_app.models import Job, JobRun, Node, RunState, Trigger
from tests.admin.conftest import NOW

pytestmark = pytest.mark.django_db
Page = Callable[..., str]
MakeRun = Callable[..., JobRun]


def ids(html: str) -> set[int]:
    return {int(pk) for pk in re.findall(r'<th class="field-id"><a[^>]*>(\d+)<', html)}


def test_run_with_its_moments(page: Page, make_run: MakeRun) -> None:
    make_run("nightly", node=Node.objects.create(name="host:123"))
    html = page("jobrun/").replace("\xa0", " ")
    for text in ("nightly", "success", "2.0 s late", "took 3.0 s", "host:123"):
        assert text in html


def test_only_the_first_line_of_an_error_is_listed(page: Page, make_run: MakeRun) -> None:
    make_run("nightly", RunState.FAILED, message="\n<script>boom</script>" + "x" * 500 + "\nsecond")
    html = page("jobrun/")
    assert "&lt;script&gt;boom&lt;/script&gt;xxx" in html
    assert "<script>boom" not in html
    assert "x" * 120 not in html
    assert "second" not in html


def test_row_for_several_occurrences_says_so(page: Page, make_run: MakeRun) -> None:
    first = NOW - timedelta(days=2)
    make_run("nightly", RunState.MISSED, occurrences=3, first_scheduled_for=first)
    html = re.sub(r"<[^>]+>", "", page("jobrun/"))
    assert f"3 occurrences since {first:%Y-%m-%d %H:%M:%S}" in html


def test_request_names_who_asked(page: Page, make_run: MakeRun) -> None:
    make_run("nightly", RunState.QUEUED, trigger=Trigger.MANUAL, requested_by="ada")
    assert "on request of ada" in page("jobrun/")


def test_later_attempt_says_so(page: Page, make_run: MakeRun) -> None:
    make_run("nightly", attempt=2)
    assert "attempt 2" in page("jobrun/")


def test_page_of_a_run_shows_everything_escaped(page: Page, make_run: MakeRun) -> None:
    run = make_run(
        "nightly",
        RunState.FAILED,
        message="boom <b>",
        traceback="Traceback:\n  File <script>",
        metadata={"items": {"done": 3}},
    )
    html = page(f"jobrun/{run.pk}/change/")
    assert "boom &lt;b&gt;" in html
    assert "Traceback:\n  File &lt;script&gt;" in html
    assert "{\n    &quot;done&quot;: 3\n  }" in html
    assert "/admin/scheduler_app/job/nightly/change/" in html


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"job_name": "nightly"}, "fa"),
        ({"job_name": "pruned-long-ago"}, "g"),
        ({"state__exact": "failed"}, "f"),
        ({"trigger__exact": "manual"}, "a"),
        ({"q": "nightly"}, "fa"),
        ({"q": "night"}, ""),
        ({"finished_at__gte": (NOW - timedelta(days=1)).isoformat()}, "fo"),
        ({"finished_at__isnull": "True"}, "a"),
    ],
)
def test_filters_and_search(
    page: Page,
    make_job: Callable[..., Job],
    make_run: MakeRun,
    query: dict[str, str],
    found: str,
) -> None:
    make_job("nightly")
    runs = {
        "f": make_run("nightly", RunState.FAILED),
        "a": make_run("nightly", RunState.QUEUED, trigger=Trigger.MANUAL),
        "o": make_run("other"),
        "g": make_run("pruned-long-ago", minutes_ago=9999),
    }
    assert ids(page("jobrun/", **query)) == {runs[letter].pk for letter in found}


def test_job_filter_offers_the_chosen_job_even_if_it_is_gone(page: Page) -> None:
    assert 'class="selected"><a href="?job_name=gone"' in " ".join(
        page("jobrun/", job_name="gone").replace(">\n", ">").split()
    ).replace("> <", "><")


def test_number_of_queries_does_not_depend_on_the_rows(page: Page, make_run: MakeRun) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            page("jobrun/")
        return len(captured)

    def fill(numbers: range) -> None:
        for number in numbers:
            make_run(f"job-{number}", node=Node.objects.create(name=f"host:{number}"))

    fill(range(3))
    few = queries()
    fill(range(3, 60))
    assert queries() == few


def test_list_reads_no_large_columns(page: Page, make_run: MakeRun) -> None:
    make_run("nightly")
    with CaptureQueriesContext(connection) as captured:
        page("jobrun/")
    for column in ("traceback", "metadata", "log"):
        assert not [query for query in captured if f'"{column}"' in query["sql"]]


def test_history_cannot_be_written(admin_client: Client, make_run: MakeRun) -> None:
    run = make_run("nightly")
    base = "/admin/scheduler_app/jobrun/"
    for path in ("add/", f"{run.pk}/change/", f"{run.pk}/delete/"):
        assert admin_client.post(base + path, {"post": "yes"}).status_code == 403
    data = {"action": "delete_selected", "_selected_action": [run.pk], "post": "yes"}
    admin_client.post(base, data)
    assert JobRun.objects.exists()


def test_history_needs_its_own_permission(staff: Callable[..., Client]) -> None:
    client = staff("view_job")
    assert client.get("/admin/scheduler_app/jobrun/").status_code == 403
