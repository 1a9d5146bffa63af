"""The pages of jobs in a project with admin sites of its own: all stays on the site."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.test import Client
from pytest_django import Settings

from scheduler_app.models import Job, JobRun, RunState

pytestmark = pytest.mark.django_db
JOBS = "/staff/all/scheduler_app/job/"
VIEWS = ("change", "trigger", "pause", "resume", "backfill", "edit", "revert", "history")


@pytest.fixture(autouse=True)
def sites(settings: Settings) -> None:
    settings.ROOT_URLCONF = "tests.admin.sites"


@pytest.fixture(autouse=True)
def nightly(make_job: Callable[..., Job], make_run: Callable[..., JobRun]) -> None:
    make_job("nightly", overrides='{"retries": 1}', declared='{"retries": 0}', retries=1)
    for minutes in range(3):
        make_run("nightly", RunState.FAILED, minutes)


def strangers(html: str) -> list[str]:
    found = set(re.findall(r'(?:href|action|formaction|data-live)="(/[^"]*)"', html))
    return [
        each for each in found if not each.startswith(("/staff/all/", "/static/")) and each != "/"
    ]


def test_links_stay_on_the_site(admin_client: Client) -> None:
    pages = [JOBS, *(f"{JOBS}nightly/{view}/" for view in VIEWS)]
    for page in pages:
        response = admin_client.get(page)
        assert response.status_code == 200, page
        assert strangers(response.content.decode()) == [], page
    html = admin_client.get(f"{JOBS}nightly/change/").content.decode()
    assert "/staff/all/scheduler_app/jobrun/" in html


def test_page_that_asks_and_what_follows_stay_on_the_site(admin_client: Client) -> None:
    data = {"action": "pause", "_selected_action": "nightly", "index": "0"}
    page = admin_client.post(JOBS, data)
    assert strangers(page.content.decode()) == []
    sent = {"names": page.context["all_names"], "query": "q=night"}
    response = admin_client.post(page.context["address"], sent)
    assert response["Location"] == f"{JOBS}?q=night"
    response = admin_client.post(f"{JOBS}nightly/resume/")
    assert response["Location"] == f"{JOBS}nightly/change/"
    assert not Job.objects.get().is_paused
