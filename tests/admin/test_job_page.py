"""The page of one job."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from scheduler_app import control
from scheduler_app.admin.policy_words import CATCH_UP, OVERLAP
from scheduler_app.control import Actor
from scheduler_app.ledger import schedules
from scheduler_app.models import Job, JobRun, Node, RunState, Surface
from scheduler_app.policies import CatchUp, Overlap
from tests.admin.conftest import NOW

pytestmark = pytest.mark.django_db
URL = "/admin/scheduler_app/job/nightly/change/"
Page = Callable[..., str]
MakeRun = Callable[..., JobRun]


@pytest.fixture
def nightly(make_job: Callable[..., Job]) -> Job:
    return make_job("nightly", "0 1 * * *", description="Roll the day up.")


def test_declaration_is_shown(page: Page, nightly: Job) -> None:
    html = page("job/nightly/change/")
    for text in ("Roll the day up.", "At 01:00 every day", "0 1 * * *"):
        assert text in html


def test_override_and_declaration_are_shown(page: Page, nightly: Job) -> None:
    quiet = "Nothing: as the code declares."
    assert quiet in policy_field(page("job/nightly/change/"), "override_words")
    Job.objects.update(overrides='{"retries": 5}', declared='{"retries": 1}', retries=5)
    told = policy_field(page("job/nightly/change/"), "override_words")
    assert told == "retries 5 (the code declares 1)"


def test_lease_of_a_pause_is_shown(page: Page, nightly: Job) -> None:
    until = NOW + timedelta(days=400)
    Job.objects.update(paused_at=NOW, paused_by="ada", pause_reason="<b>deploy", paused_until=until)
    html = page("job/nightly/change/")
    assert "by ada: &lt;b&gt;deploy" in html
    assert f"{until:%Y}" in html


def policy_field(html: str, name: str) -> str:
    """The field's HTML as it stands in the page."""
    match = re.search(rf'field-{name}.*?<div class="readonly">(.*?)</div>', html, re.DOTALL)
    assert match, name
    return match[1].replace("\xa0", " ")


def test_default_policies_are_quiet(page: Page, nightly: Job) -> None:
    html = page("job/nightly/change/")
    for name, text in (
        ("overlap_words", "If the job still runs, the next occurrence is skipped."),
        ("catch_up_words", "Overdue occurrences do not run."),
        ("retry_words", "None."),
        ("timeout_words", "None."),
        ("process_words", "A thread of the scheduler."),
        ("failure_words", "Continues."),
        ("jitter_words", "None."),
    ):
        assert policy_field(html, name) == f'<span class="quiet">{text}</span>'


@pytest.mark.parametrize(
    ("values", "name", "text"),
    [
        ({"overlap": "allow"}, "overlap_words", "starts beside it."),
        ({"overlap": "queue"}, "overlap_words", "one occurrence waits for its end"),
        ({"overlap": "cancel_previous"}, "overlap_words", "it is cancelled for the next"),
        ({"catch_up": "once"}, "catch_up_words", "the latest runs."),
        ({"catch_up": "all", "catch_up_limit": 31}, "catch_up_words", "the latest 31 at most."),
        ({"pause_on_failure": 3}, "failure_words", "Paused after 3 failures in a row."),
        ({"retries": 1}, "retry_words", "1, after up to 1 min."),
        ({"retries": 3, "retry_delay": 2}, "retry_words", "3, after up to 2 s, 4 s, 8 s."),
        ({"retries": 20}, "retry_words", "20, after up to 1 min, 2 min, 4 min … 1 h."),
        ({"timeout": 1.5}, "timeout_words", "Killed after 1.5 s."),
        ({"timeout": 1.5}, "process_words", "A process of its own."),
        ({"isolated": True}, "process_words", "A process of its own."),
        ({"jitter": 300}, "jitter_words", "Up to 5 min."),
    ],
)
def test_chosen_policy_is_told_in_plain_type(
    page: Page, nightly: Job, values: dict[str, object], name: str, text: str
) -> None:
    Job.objects.update(**values)
    field = policy_field(page("job/nightly/change/"), name)
    assert text in field
    assert "quiet" not in field


@pytest.mark.parametrize("policy", [*Overlap, *CatchUp])
def test_every_policy_has_words(policy: Overlap | CatchUp) -> None:
    assert policy in OVERLAP if isinstance(policy, Overlap) else policy in CATCH_UP


def test_periods_of_the_schedule_are_history(
    admin_client: Client, page: Page, nightly: Job, make_job: Callable[..., Job]
) -> None:
    schedules.begin([nightly], {"nightly": NOW}, "Declared.")
    control.pause("nightly", by=Actor("ada", Surface.CLI), reason="<i>maintenance</i>")
    schedules.begin([make_job("other")], {"other": NOW}, "Not ours.")
    table = admin_client.get(URL).context["tables"][2]
    assert [row[-1] for row in table.rows] == [
        "Paused by ada (command line): <i>maintenance</i>",
        "Declared.",
    ]
    assert [row[1] == "now" for row in table.rows] == [True, False]
    assert "&lt;i&gt;maintenance" in page("job/nightly/change/")
    rest = admin_client.get(table.more).content.decode()
    assert "Declared." in rest
    assert "Not ours." not in rest


def test_number_of_queries_does_not_depend_on_the_history(
    page: Page, nightly: Job, make_run: MakeRun
) -> None:
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


def test_error_is_shown_in_full_and_escaped(page: Page, nightly: Job, make_run: MakeRun) -> None:
    make_run("nightly", RunState.FAILED, message="<script>boom</script>\n" + "x" * 5000)
    html = page("job/nightly/change/")
    assert "&lt;script&gt;boom&lt;/script&gt;\n" + "x" * 5000 in html
    assert "<script>boom" not in html


def test_metadata_of_the_last_run_is_shown_as_json(
    page: Page, nightly: Job, make_run: MakeRun
) -> None:
    make_run("nightly", metadata={"items": 42, "note": "<b>ü</b>"})
    html = page("job/nightly/change/")
    assert "&quot;items&quot;: 42,\n" in html
    assert "&lt;b&gt;ü&lt;/b&gt;" in html


def test_last_ten_runs_with_those_that_have_not_ended_first(
    admin_client: Client, nightly: Job, make_run: MakeRun
) -> None:
    running = make_run("nightly", RunState.RUNNING, minutes_ago=99)
    runs = [make_run("nightly", minutes_ago=number) for number in range(12)]
    make_run("other")
    table = admin_client.get(URL).context["tables"][0]
    shown = [running, *runs][:10]
    assert all(f">{run.pk}<" in row[0] for run, row in zip(shown, table.rows, strict=True))
    assert table.more == "/admin/scheduler_app/jobrun/?job_name=nightly"


def test_audit_entries_of_the_job(page: Page, nightly: Job, make_job: Callable[..., Job]) -> None:
    make_job("other")
    control.pause("nightly", by=Actor("ada", Surface.CLI), reason="<i>maintenance</i>")
    control.pause("nightly", by=Actor("grace", Surface.GRPC))
    control.pause("other", by=Actor("mallory", Surface.GRPC))
    html = page("job/nightly/change/")
    for text in ("ada", "command line", "&lt;i&gt;maintenance&lt;/i&gt;", "pause (no change)"):
        assert text in html
    assert "mallory" not in html


def test_buttons_fit_the_state(admin_client: Client, nightly: Job) -> None:
    def buttons() -> list[str]:
        return [action.name for action in admin_client.get(URL).context["buttons"]]

    assert buttons() == ["pause", "trigger"]
    Job.objects.update(paused_at=NOW)
    assert buttons() == ["resume", "trigger"]
    Job.objects.update(orphaned_at=NOW)
    assert buttons() == ["resume"]


def test_who_may_only_look_at_jobs_sees_no_buttons_and_no_tables(
    staff: Callable[..., Client], nightly: Job, make_run: MakeRun
) -> None:
    make_run("nightly")
    response = staff("view_job").get(URL)
    assert response.status_code == 200
    assert "Reason" not in response.content.decode()
    assert response.context["tables"] == []


def test_unknown_job_leads_back(admin_client: Client) -> None:
    response = admin_client.get("/admin/scheduler_app/job/nope/change/", follow=True)
    assert "nope" in str(next(iter(response.context["messages"])))


def test_name_with_underscores_and_dots_has_a_page(
    page: Page, make_job: Callable[..., Job]
) -> None:
    make_job("import_prices.v2")
    assert "/job/import_5Fprices.v2/change/" in page("job/")
    assert "import_prices.v2" in page("job/import_5Fprices.v2/change/")
