"""A project whose reads go to a replica: it lags behind, and decides nothing here."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pytest_django import Settings

from scheduler_app import control
from scheduler_app.consistency.check import audit_ledger
from scheduler_app.control import Actor
from scheduler_app.engine.scheduler import Scheduler
from scheduler_app.explain.explain import explain
from scheduler_app.models import JobRun, Surface
from scheduler_app.registry import Registry
from scheduler_app.status.current import run_summary, scheduler_status
from tests.engine.conftest import eventually

pytestmark = pytest.mark.django_db(transaction=True)
ADA = Actor("ada", Surface.CODE)


class ReadsFromReplica:
    """There is no such database here: whoever reads from it fails."""

    def db_for_read(self, model: Any, **_: Any) -> str:
        return "replica"

    def db_for_write(self, model: Any, **_: Any) -> str:
        return "default"

    def allow_relation(self, *_: Any, **__: Any) -> bool:
        return True


@pytest.fixture
def scheduler(registry: Registry, settings: Settings) -> Iterator[Scheduler]:
    settings.DATABASE_ROUTERS = [f"{__name__}.{ReadsFromReplica.__name__}"]
    scheduler = Scheduler(registry)
    yield scheduler
    if scheduler.running:
        scheduler.stop()


def test_all_is_read_where_it_is_written(
    declare: Callable[..., None], scheduler: Scheduler
) -> None:
    def fails() -> None:
        raise ValueError

    declare("a", fails, cron="* * * * * *", retries=1, retry_delay=0.1)
    scheduler.start()
    eventually(lambda: JobRun.objects.filter(attempt=2).finished().exists())
    control.pause("a", by=ADA)
    control.trigger("a", by=ADA)
    eventually(lambda: JobRun.objects.requests().finished().exists())
    first = JobRun.objects.scheduled().finished().earliest("id")
    assert scheduler_status().jobs[0].is_paused
    assert run_summary(first.pk).state == "failed"
    assert "failed at attempt 2" in explain("a", first.scheduled_for)
    assert list(audit_ledger()) == []
