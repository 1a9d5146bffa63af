"""Part of a job's history deleted by hand: it stays known that those occurrences had a row."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.db import connection

from scheduler_app.consistency.check import audit_ledger
from scheduler_app.consistency.report import Kind
from scheduler_app.engine.claim import Claimer
from scheduler_app.explain.explain import explain
from scheduler_app.ledger import counters
from scheduler_app.models import Job, JobRun
from scheduler_app.registry import Registry, job
from tests.engine.conftest import T0, counted, nothing, sync_jobs
from tests.explain.conftest import SetClock, finish

Declare = Callable[..., None]
Start = Callable[..., Claimer]
Delete = Callable[[datetime, datetime], None]
MINUTE = timedelta(minutes=1)
RAN = 12
DEPLOYED = T0 + (RAN - 0.5) * MINUTE
INCOMPLETE = "history incomplete: the row that accounted for it has been deleted."


def by_queryset(first: datetime, last: datetime) -> None:
    JobRun.objects.filter(job_name="a", scheduled_for__range=(first, last)).delete()


def by_sql(first: datetime, last: datetime) -> None:
    statement = f"DELETE FROM {JobRun._meta.db_table} WHERE scheduled_for BETWEEN %s AND %s"
    bounds = [connection.ops.adapt_datetimefield_value(moment) for moment in (first, last)]
    with connection.cursor() as cursor:
        cursor.execute(statement, bounds)


@pytest.fixture
def twelve(declare: Declare, start: Start) -> Claimer:
    """A job of every minute, whose first twelve occurrences (from T0 on) ran."""
    declare("a")
    claimer = start()
    for minute in range(RAN):
        finish(claimer.claim(T0 + minute * MINUTE))
    return claimer


@pytest.fixture(params=[True, False], ids=["folded", "not folded"])
def is_folded(request: pytest.FixtureRequest, twelve: Claimer) -> None:
    """What the job's counters were told is in its row, or is not yet."""
    if request.param:
        counters.fold()
    assert (Job.objects.get().accounted_to is not None) == request.param


def deploy(cron: str) -> None:
    """A scheduler of a new release starts, which declares another schedule."""
    release = Registry()
    job(name="a", cron=cron, timezone="UTC", registry=release)(nothing)
    sync_jobs(release, DEPLOYED)


@pytest.mark.usefixtures("is_folded")
@pytest.mark.parametrize("delete", [by_queryset, by_sql])
@pytest.mark.parametrize(("begin", "end"), [(0, 2), (4, 6), (9, 11)], ids=["old", "mid", "new"])
def test_deleted_stretch_is_incomplete_and_never_skipped(
    twelve: Claimer, set_clock: SetClock, delete: Delete, begin: int, end: int
) -> None:
    set_clock(DEPLOYED)
    first, last = T0 + begin * MINUTE, T0 + end * MINUTE
    delete(first, last)
    for moment in (first, last):
        assert explain("a", moment, DEPLOYED).endswith(f"UTC: was due; {INCOMPLETE}")

    deploy("*/5 * * * *")

    for moment in (first, last):
        assert explain("a", moment, DEPLOYED).endswith(f"UTC: was due; {INCOMPLETE}")
    assert JobRun.objects.count() == RAN - 3
    assert (counted("run_count"), counted("skip_count"), counted("miss_count")) == (RAN, 0, 0)
    (found,) = audit_ledger()
    assert (found.kind, found.moment, found.occurrences) == (Kind.INCOMPLETE, first, 3)


@pytest.mark.usefixtures("is_folded")
def test_claim_after_a_deletion_adds_only_what_is_new(twelve: Claimer, set_clock: SetClock) -> None:
    by_sql(T0 + 9 * MINUTE, T0 + 11 * MINUTE)
    deploy("*/5 * * * *")
    finish(twelve.claim(T0 + 15 * MINUTE))
    set_clock(T0 + 15 * MINUTE)
    assert "ran: started" in explain("a", T0 + 15 * MINUTE, T0 + 16 * MINUTE)
    assert (counted("run_count"), counted("skip_count")) == (RAN + 1, 0)
    assert [each.kind for each in audit_ledger()] == [Kind.INCOMPLETE]
