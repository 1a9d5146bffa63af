"""Rows of running runs that a whole scheduler finds wrong."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from scheduler_app.consistency.check import audit_ledger
from scheduler_app.consistency.report import Kind
from scheduler_app.engine import unheld
from scheduler_app.engine.scheduler import Scheduler
from scheduler_app.explain.explain import explain
from scheduler_app.models import Heartbeat, JobRun, RunState
from scheduler_app.registry import JobContext, Registry, job
from tests.engine.conftest import eventually, nothing, sync_jobs

pytestmark = pytest.mark.django_db(transaction=True)
Declare = Callable[..., None]


@pytest.mark.parametrize("is_ownerless", [False, True])
def test_running_run_that_no_scheduler_carries_out_is_lost(
    declare: Declare, registry: Registry, settings: Settings, is_ownerless: bool
) -> None:
    """Its thread has ended without an outcome, or the row of its node is deleted. The retry
    runs."""
    settings.SCHEDULER = {"heartbeat": 0.5}
    declare("a", cron="0 0 1 1 *", retries=1, retry_delay=0.1)
    scheduler = Scheduler(registry)
    scheduler.start()
    try:
        now = timezone.now()
        node = None if is_ownerless else scheduler.node
        run = JobRun.objects.create(
            job_name="a", scheduled_for=now, due_at=now, node=node, state=RunState.RUNNING,
            started_at=now,
        )  # fmt: skip
        if is_ownerless:
            assert Kind.STRANDED in [found.kind for found in audit_ledger()]
        eventually(lambda: JobRun.objects.get(pk=run.pk).state == RunState.LOST)
        eventually(lambda: JobRun.objects.filter(attempt=2, state=RunState.SUCCESS).exists())
    finally:
        scheduler.stop()
    message = JobRun.objects.get(pk=run.pk).message
    assert message == (unheld.OWNERLESS if is_ownerless else unheld.UNHELD)
    assert not [found for found in audit_ledger() if found.kind == Kind.STRANDED]


def test_row_deleted_during_its_run_stays_accounted_for(
    registry: Registry, settings: Settings
) -> None:
    """The occurrence does not fire again, and no deploy records it as skipped."""
    settings.SCHEDULER = {"heartbeat": 0.5}
    at = (timezone.now() + timedelta(seconds=5)).replace(microsecond=0)
    cron = f"{at.second} {at.minute} {at.hour} {at.day} {at.month} *"
    release, calls = threading.Event(), list[Any]()

    def work(context: JobContext) -> None:
        calls.append(context.scheduled_for)
        release.wait(120)

    job(name="a", cron=cron, timezone="UTC", registry=registry)(work)
    scheduler = Scheduler(registry)
    scheduler.start()
    try:
        eventually(lambda: calls)
        beats = Heartbeat.objects.newest().values_list("pk", flat=True)
        first = beats.first() or 0
        eventually(lambda: (beats.first() or 0) > first + 3)
        JobRun.objects.all().delete()
        last = beats.first() or 0
        eventually(lambda: (beats.first() or 0) > last + 3)
        assert not JobRun.objects.exists()
        release.set()
        time.sleep(1)
        assert calls == [at]
    finally:
        release.set()
        scheduler.stop()
    newer = Registry()
    job(name="a", cron="0 0 1 1 *", timezone="UTC", registry=newer)(nothing)
    sync_jobs(newer, timezone.now())
    assert not JobRun.objects.exists()
    assert "history incomplete" in explain("a", at, timezone.now())
