"""What people come to the admin for, done as they do it."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import User

from scheduler_app.engine.scheduler import Scheduler
from scheduler_app.models import AuditEntry, Job, JobRun, RunState
from scheduler_app.registry import JobContext, Registry, job
from tests.browser.steps import act, control, see, tab_to

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

SignedIn = Callable[..., "Page"]
logger = logging.getLogger("accountant")
NEVER_IN_A_TEST = "0 0 1 1 *"


@pytest.fixture
def scheduler(transactional_db: None) -> Iterator[Scheduler]:
    """One that runs, with a job for each thing that people wait for."""
    registry = Registry()

    def prepare_export(context: JobContext) -> dict[str, int]:
        """Take a moment, and say so."""
        logger.warning("12 rows written")
        context.report(rows=12)
        context.cancel_event.wait(1)
        return {"rows": 12}

    job(cron=NEVER_IN_A_TEST, registry=registry)(prepare_export)
    assert not registry.problems
    found = Scheduler(registry)
    found.start()
    yield found
    found.stop()


def test_operator_signs_in_and_finds_why_last_night_failed(
    window: BrowserContext, site: str, people: dict[str, User], seeded: datetime
) -> None:
    page = window.new_page()
    page.goto(site)
    page.get_by_label("Username:").fill("operator")
    page.get_by_label("Password:").fill("secret")
    page.get_by_role("button", name="Log in").click()

    page.get_by_role("link", name="Jobs", exact=True).first.click()
    page.locator("#content").get_by_role("link", name="export-accounting").click()
    assert "ExportRefused" in page.inner_text("#content")

    failed = page.locator("#content tr", has=page.get_by_text("failed", exact=True))
    failed.first.get_by_role("link", name=re.compile(r"^#?\d+$")).click()
    told = page.inner_text("#content")
    assert "SFTP put /in/bookings.csv refused: 550 No such directory" in told
    assert "bookings to handle" in told, "the log"


def test_operator_pauses_with_a_reason_and_sees_the_badge(
    signed_in: SignedIn, seeded: datetime
) -> None:
    page = signed_in("operator", "scheduler_app/job/import-orders/change/")
    assert page.get_by_text("PAUSED", exact=True).count() == 0
    act(page, "Pause", "The marketplace is down.")
    page.get_by_text("PAUSED", exact=True).first.wait_for()
    assert "The marketplace is down." in page.inner_text("#content")
    paused = Job.objects.get(name="import-orders")
    assert (paused.paused_by, paused.pause_reason) == ("operator", "The marketplace is down.")

    act(page, "Resume")
    page.get_by_text("IDLE", exact=True).first.wait_for()
    assert not Job.objects.get(name="import-orders").is_paused


def test_run_now_appears_and_finishes(signed_in: SignedIn, scheduler: Scheduler) -> None:
    page = signed_in("operator", "scheduler_app/job/prepare-export/change/")
    act(page, "Run now", "The accountant asks for it.")
    see(page, page.locator("#content").get_by_text("success", exact=True))
    runs = page.locator("#content").get_by_role("link", name=re.compile(r"^#?\d+$"))
    runs.first.click()
    told = page.inner_text("#content")
    assert "12 rows written" in told
    assert JobRun.objects.get().state == RunState.SUCCESS


def test_viewer_is_offered_no_action_and_refused_one(
    signed_in: SignedIn, seeded: datetime, complaints: list[str]
) -> None:
    page = signed_in("viewer", "scheduler_app/job/import-orders/change/")
    for name in ("Pause", "Resume", "Run now"):
        assert control(page, name).count() == 0, name
    answer: Any = page.evaluate(
        """async () => (await fetch("../pause/", {method: "POST", headers: {
            "X-CSRFToken": document.cookie.match(/csrftoken=(\\w+)/)?.[1] ?? "",
        }})).status"""
    )
    assert answer == 403
    assert not Job.objects.get(name="import-orders").is_paused
    assert not AuditEntry.objects.filter(job_name="import-orders").exists()
    complaints.clear()  # the browser reports the 403


def test_keyboard_alone_pauses_a_job(signed_in: SignedIn, seeded: datetime) -> None:
    page = signed_in("operator")
    jobs = page.locator("#nav-sidebar, #content").get_by_role("link", name="Jobs", exact=True)
    tab_to(page, jobs.first)
    page.keyboard.press("Enter")
    found = page.locator("#content").get_by_role("link", name="backup-database")
    tab_to(page, found.first)
    page.keyboard.press("Enter")
    page.wait_for_url("**/job/backup-database/change/**")

    asks = control(page, "Pause")
    if asks.evaluate("element => element.tagName") == "A":
        tab_to(page, asks)
        page.keyboard.press("Enter")
        page.wait_for_url("**/pause/**")
    reason = page.get_by_label(re.compile("^Reason")).first
    tab_to(page, reason)
    page.keyboard.type("The disk is full.")
    does = page.locator("input[name=_confirm]").or_(control(page, "Pause")).first
    is_below = page.locator("input[name=_confirm]").count()
    tab_to(page, does, key="Tab" if is_below else "Shift+Tab")
    page.keyboard.press("Enter")
    page.get_by_text("PAUSED", exact=True).first.wait_for()
    assert Job.objects.get(name="backup-database").pause_reason == "The disk is full."
