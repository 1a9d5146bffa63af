"""The demonstration's history is one that schedulers and people could have made."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from memory_project.demo import clock, history
from memory_project.demo.declare import declare
from scheduler_app.consistency import check
from scheduler_app.models import AuditEntry, Job, JobRun, Node, RunState
from scheduler_app.registry import Registry

DAYS = 3.1
NOW = datetime(2026, 3, 2, 14, 20, tzinfo=UTC)


@pytest.fixture
def shop() -> Registry:
    registry = Registry()
    declare(registry)
    assert not registry.problems
    return registry


def _history_of(shop: Registry, seed: int) -> list[Any]:
    """Write half a day, and undo it."""
    with transaction.atomic():
        history.write(shop, days=0.5, now=NOW, seed=seed)
        runs = JobRun.objects.order_by("due_at", "job_name", "attempt")
        rows = list(runs.values_list("job_name", "due_at", "state", "log"))
        transaction.set_rollback(True)
    return rows


@pytest.mark.parametrize("is_alive", [False, True])
def test_ledger_of_the_history_has_no_discrepancy(db: None, shop: Registry, is_alive: bool) -> None:
    runs = history.write(shop, days=DAYS, is_alive=is_alive)
    assert runs > 10_000
    assert [str(found) for found in check.audit_ledger()] == []
    assert JobRun.objects.running().exists() is is_alive
    assert Node.objects.alive().exists() is is_alive


@pytest.mark.parametrize(
    "now",
    [
        NOW,
        datetime(2026, 3, 29, 1, 15, 30, tzinfo=UTC),  # the night in which the clock is put forward
        datetime(2026, 11, 2, 0, 0, tzinfo=UTC),
        datetime(2026, 4, 2, 2, 16, tzinfo=UTC),  # the export is running
    ],
    ids=str,
)
def test_outage_and_death_leave_no_discrepancy_whenever_now_is(db: None, now: datetime) -> None:
    shop = Registry()
    names = ("sync-crm", "backup-database", "refresh-recommendations", "export-accounting")
    declare(shop, [*names, "reindex-search"])
    history.write(shop, now=now)
    with clock.at(now):
        assert [str(found) for found in check.audit_ledger()] == []
    states = set(JobRun.objects.values_list("state", flat=True))
    assert {RunState.MISSED, RunState.LOST, RunState.SKIPPED, RunState.FAILED} <= states
    assert not JobRun.objects.filter(finished_at__gt=now).exists()


def test_same_seed_and_moment_give_the_same_history(db: None, shop: Registry) -> None:
    one, same, other = (_history_of(shop, seed) for seed in (1, 1, 2))
    assert one == same != other


def test_quarter_hourly_job_failed_for_three_hours_and_recovered(db: None, shop: Registry) -> None:
    history.write(shop, days=1)
    runs = JobRun.objects.filter(job_name="sync-inventory").order_by("-due_at")
    failed = runs.filter(state=RunState.FAILED)
    assert failed.count() == 12
    assert len(set(failed.values_list("message", flat=True))) == 1
    newest = runs.first()
    assert newest is not None
    assert newest.state == RunState.SUCCESS
    assert timezone.now() - failed[0].due_at > timedelta(hours=5)


def test_export_failed_three_nights_running(db: None, shop: Registry) -> None:
    history.write(shop, days=DAYS, now=NOW)
    runs = JobRun.objects.scheduled().filter(job_name="export-accounting").order_by("-due_at")
    assert [run.state for run in runs] == [RunState.FAILED] * 3


def test_people_paused_and_overrode(db: None, shop: Registry) -> None:
    history.write(shop, days=7)
    paused = {job.name: job for job in Job.objects.paused()}
    assert set(paused) == {"export-to-warehouse", "sync-legacy-erp"}
    assert paused["export-to-warehouse"].paused_until is not None
    assert all(job.pause_reason for job in paused.values())
    assert AuditEntry.objects.filter(action=AuditEntry.Action.CANCEL).exists()
