"""The page of one run."""

from collections.abc import Callable

import pytest
from django.test import Client

from scheduler_app.models import JobRun, Node, RunState, Trigger
from tests.admin.conftest import NOW

pytestmark = pytest.mark.django_db
Page = Callable[..., str]
MakeRun = Callable[..., JobRun]


def url(run: JobRun) -> str:
    return f"jobrun/{run.pk}/change/"


def test_log_is_escaped_and_kept_line_by_line(page: Page, make_run: MakeRun) -> None:
    run = make_run("nightly", log="first\n<script>boom</script>\n")
    html = page(url(run))
    assert '<pre class="block">first\n&lt;script&gt;boom&lt;/script&gt;\n</pre>' in html
    assert "boom" not in page("jobrun/")


def test_what_there_is_not_takes_no_room(page: Page, make_run: MakeRun) -> None:
    html = page(url(make_run("nightly")))
    for name in ("Outcome", "field-output", "field-error_traceback", "field-asked_to_end"):
        assert name not in html


def test_retry_leads_to_the_first_attempt_and_back(page: Page, make_run: MakeRun) -> None:
    first = make_run("nightly", RunState.FAILED, message="boom", log="large")
    retry = make_run("nightly", attempt=2, first_attempt=first)
    link = f'attempt 2 of <a href="/admin/scheduler_app/jobrun/{first.pk}/change/">run {first.pk}'
    assert link in page("jobrun/")
    for run in (first, retry):
        html = page(url(run))
        assert "All attempts" in html
        assert link in html
        assert f'/{retry.pk}/change/">{retry.pk}</a>' in html


def test_run_without_retries_has_no_table(page: Page, make_run: MakeRun) -> None:
    make_run("nightly", minutes_ago=5)
    assert "All attempts" not in page(url(make_run("nightly")))


def test_retry_whose_first_attempt_was_pruned(page: Page, make_run: MakeRun) -> None:
    assert "attempt 2" in page(url(make_run("nightly", attempt=2)))


def test_retry_that_waits_says_until_when(page: Page, make_run: MakeRun) -> None:
    make_run("nightly", RunState.QUEUED, minutes_ago=9, attempt=2, due_at=NOW)
    html = page("jobrun/")
    assert "due <time" in html
    assert f"{NOW:%H:%M:%S}" in html


def test_going_run_that_is_asked_to_end_says_by_whom_and_why(page: Page, make_run: MakeRun) -> None:
    asked = {"cancel_requested_at": NOW, "cancel_reason": "Cancelled by ada (admin): <b>wrong</b>"}
    run = make_run("nightly", RunState.RUNNING, **asked)
    assert "asked to end" in page("jobrun/")
    assert "Cancelled by ada (admin): &lt;b&gt;wrong&lt;/b&gt;" in page(url(run))


def test_request_names_who_asked(page: Page, make_run: MakeRun) -> None:
    run = make_run("nightly", trigger=Trigger.MANUAL, requested_by="ada")
    assert "on request of ada" in page(url(run))


def test_pages_need_the_permission_to_look(staff: Callable[..., Client], make_run: MakeRun) -> None:
    run = make_run("nightly", node=Node.objects.create(name="host:1"))
    assert staff("view_job").get(f"/admin/scheduler_app/{url(run)}").status_code == 403
