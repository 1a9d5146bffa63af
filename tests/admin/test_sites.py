"""Our pages in a project with admin sites of its own: every link and redirect stays on the site."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from pytest_django import Settings

from scheduler_app import control
from scheduler_app.control import Actor
from scheduler_app.models import AuditEntry, Job, JobRun, Node, RunState, SchedulePeriod, Surface
from tests.admin.conftest import NOW

pytestmark = pytest.mark.django_db
ALL, ALONE = "/staff/all/scheduler_app/", "/ops/runs/scheduler_app/"
MakeRun = Callable[..., JobRun]


@pytest.fixture(autouse=True)
def sites(settings: Settings) -> None:
    settings.ROOT_URLCONF = "tests.admin.sites"
    settings.SCHEDULER = {"heartbeat": 3600}


@pytest.fixture
def run(make_job: Callable[..., Job], make_run: MakeRun) -> JobRun:
    """A failed run with all that a page can link to."""
    make_job("nightly")
    node = Node.objects.create(name="here:1", started_at=NOW - timedelta(days=1))
    before = make_run("nightly", minutes_ago=20, node=node)
    run = make_run("nightly", RunState.FAILED, minutes_ago=10, node=node)
    make_run("nightly", RunState.FAILED, minutes_ago=9, attempt=2, first_attempt=run)
    make_run("nightly", RunState.RUNNING, minutes_ago=1, node=node, attempt=2, first_attempt=before)
    Node.objects.create(name="gone:1", stopped_at=NOW)
    control.cancel(make_run("nightly", RunState.QUEUED).pk, by=Actor("ada", Surface.CLI))
    return run


def addresses(html: str) -> set[str]:
    return set(re.findall(r'(?:href|action|formaction|data-live)="(/[^"]*)"', html))


def pages(run: JobRun) -> list[str]:
    rows = {
        "jobrun": run.pk,
        "node": Node.objects.earliest("pk").pk,
        "auditentry": AuditEntry.objects.earliest("pk").pk,
        "scheduleperiod": getattr(SchedulePeriod.objects.first(), "pk", None),
    }
    found = [f"{model}/" for model in rows]
    found += [f"{model}/{pk}/change/" for model, pk in rows.items() if pk]
    return [*found, f"jobrun/{run.pk}/change/?part=run", "jobrun/?q=nightly&ended=24h"]


def test_links_stay_on_the_site(admin_client: Client, run: JobRun) -> None:
    for page in pages(run):
        response = admin_client.get(f"{ALL}{page}")
        assert response.status_code == 200, page
        found = addresses(response.content.decode())
        strange = [each for each in found if not each.startswith(("/staff/all/", "/static/"))]
        assert [each for each in strange if each != "/"] == [], page
    linked = addresses(admin_client.get(f"{ALL}jobrun/").content.decode())
    assert f"{ALL}job/nightly/change/" in linked
    assert f"{ALL}jobrun/{run.pk}/change/" in linked


def test_site_with_runs_alone_links_to_nothing_else(admin_client: Client, run: JobRun) -> None:
    for page in ("jobrun/", f"jobrun/{run.pk}/change/", f"jobrun/{run.pk}/change/?part=run"):
        response = admin_client.get(f"{ALONE}{page}")
        assert response.status_code == 200, page
        html = response.content.decode()
        strange = [a for a in addresses(html) if not a.startswith(("/ops/runs/", "/static/"))]
        assert [each for each in strange if each != "/"] == [], page
        assert "nightly" in html
        assert "/node/" not in html
        assert "/job/" not in html


@pytest.mark.parametrize("site", [ALL, ALONE])
def test_buttons_and_actions_stay_on_the_site(
    admin_client: Client, make_run: MakeRun, run: JobRun, site: str
) -> None:
    failed = make_run("nightly", RunState.FAILED, minutes_ago=50)
    going = make_run("nightly", RunState.RUNNING, minutes_ago=40)
    for pk, action in ((failed.pk, "retry"), (going.pk, "cancel"), (4711, "cancel")):
        response = admin_client.post(f"{site}jobrun/{pk}/{action}/", follow=True)
        assert response.redirect_chain[0] == (f"{site}jobrun/{pk}/change/", 302)
    data = {"action": "retry", "_selected_action": [run.pk], "index": "0"}
    response = admin_client.post(f"{site}jobrun/?q=night", data)
    html = response.content.decode()
    assert f'action="{site}jobrun/run-again/"' in html
    assert f'href="{site}jobrun/?q=night"' in html
    response = admin_client.post(f"{site}jobrun/run-again/", {"keys": str(run.pk), "query": "q=a"})
    assert response["Location"] == f"{site}jobrun/?q=a"


@pytest.mark.parametrize("site", [ALL, ALONE])
def test_list_without_its_row_leads_to_the_same_site(admin_client: Client, site: str) -> None:
    response = admin_client.get(f"{site}jobrun/4711/change/")
    assert response["Location"].startswith(site.split("scheduler_app")[0])
    assert admin_client.get(f"{site}jobrun/?ended=x")["Location"] == f"{site}jobrun/?e=1"
