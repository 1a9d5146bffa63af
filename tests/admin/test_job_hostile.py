"""Jobs whose names and values no declaration has, on every page of a job."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.utils import quote
from django.test import Client

from scheduler_app.models import Job, JobRun, RunState
from tests.admin.confirming import act_on_jobs
from tests.admin.conftest import NOW

pytestmark = pytest.mark.django_db
JOBS = "/admin/scheduler_app/job/"
VIEWS = ("change", "trigger", "pause", "resume", "backfill", "edit", "revert", "history")
MakeJob = Callable[..., Job]
NAMES = (
    "a/b c",
    "x\"y'<z>",
    "\N{FIRE}" * 100,
    "pause",
    "_selected",
    "a\nb",
    "%2F",
    "..",
    "x" * 100,
)


@pytest.mark.parametrize("name", NAMES)
def test_any_name_has_its_pages(
    admin_client: Client, make_job: MakeJob, make_run: Callable[..., JobRun], name: str
) -> None:
    make_job(name)
    make_run(name, RunState.MISSED)
    assert admin_client.get(JOBS).status_code == 200
    for view in VIEWS:
        response = admin_client.get(f"{JOBS}{quote(name)}/{view}/")
        assert response.status_code == 200, view
        assert name == str(response.context.get("original") or response.context["object"]), view
    admin_client.post(f"{JOBS}{quote(name)}/pause/", {"reason": "move"})
    assert Job.objects.get().is_paused
    act_on_jobs(admin_client, "resume", name)
    assert not Job.objects.get().is_paused


SPOILT: dict[str, dict[str, Any]] = {
    "zone": {"timezone": "Mars/Olympus"},
    "schedule": {"cron": "61 * * * *"},
    "jitter": {"jitter": 2**31 - 1},
    "retries": {"retries": 32_767, "retry_delay": 1e300, "retry_max_delay": 1e300},
    "delay": {"retries": 3, "retry_delay": -1e9},
    "timeout": {"timeout": 1e300},
    "limit": {"catch_up": "all", "catch_up_limit": 2**31 - 1},
    "overrides": {"overrides": "[" * 9_000, "declared": '{"cron": 5}'},
    "override": {"overrides": '{"cron": "x"}', "declared": "{}"},
    "pause": {"paused_at": NOW, "paused_by": "\N{FIRE}" * 255, "pause_reason": "x" * 90_000},
    "description": {"description": "\N{FIRE}\n" * 5_000},
}


@pytest.mark.parametrize("fault", SPOILT)
def test_spoilt_row_has_its_pages(admin_client: Client, make_job: MakeJob, fault: str) -> None:
    make_job("nightly")
    Job.objects.update(**SPOILT[fault])
    assert admin_client.get(JOBS).status_code == 200
    for view in VIEWS:
        assert admin_client.get(f"{JOBS}nightly/{view}/").status_code == 200, view


def test_run_whose_moments_are_spoilt_has_its_place(
    admin_client: Client, make_job: MakeJob, make_run: Callable[..., JobRun]
) -> None:
    make_job("nightly")
    make_run("nightly", started_at=NOW, finished_at=NOW - (NOW - NOW.replace(year=1971)))
    make_run("nightly", minutes_ago=1, started_at=NOW.replace(year=2199))
    for path in ("", "nightly/change/"):
        assert admin_client.get(f"{JOBS}{path}").status_code == 200


@pytest.mark.parametrize("view", ["pause", "resume", "trigger", "backfill", "edit", "revert"])
@pytest.mark.parametrize("value", ["\0", "\N{FIRE}" * 9_000, "-1", "2026-13-01T00:00", "[]"])
def test_values_that_no_form_sends_change_nothing_or_are_cleaned(
    admin_client: Client, make_job: MakeJob, view: str, value: str
) -> None:
    make_job("nightly")
    fields = ("reason", "until", "since", "catch_up", "overlap", "etag", "cron", "isolated", "next")
    for button in ("_preview", "_confirm"):
        response = admin_client.post(
            f"{JOBS}nightly/{view}/", dict.fromkeys(fields, value) | {button: "1"}
        )
        assert response.status_code in (200, 302)  # a revert of nothing is done with
    assert not Job.objects.get().is_paused
    assert not JobRun.objects.exists()
