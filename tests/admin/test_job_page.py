"""The page of one job."""

from collections.abc import Callable

import pytest
from django.test import Client

from scheduler_app import control
from scheduler_app.control import Actor
from scheduler_app.models import Job, JobRun, Node, RunState, Surface
from tests.admin.conftest import NOW

pytestmark = pytest.mark.django_db
URL = "/admin/scheduler_app/job/nightly/change/"
Page = Callable[..., str]
MakeRun = Callable[..., JobRun]


@pytest.fixture
def nightly(make_job: Callable[..., Job]) -> Job:
    return make_job("nightly", "0 1 * * *", description="Roll the day up.", overlap="allow")


def test_declaration_is_shown(page: Page, nightly: Job) -> None:
    html = page("job/nightly/change/")
    for text in ("Roll the day up.", "At 01:00 every day", "0 1 * * *", "let both run"):
        assert text in html


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


def test_who_may_only_look_at_jobs_sees_no_buttons_runs_or_audit_entries(
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
