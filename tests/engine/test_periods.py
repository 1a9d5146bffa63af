"""Which schedule held when."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from scheduler_app import control
from scheduler_app.consistency.check import audit_ledger
from scheduler_app.consistency.report import Kind
from scheduler_app.control import Actor
from scheduler_app.engine.claim import Claimer
from scheduler_app.engine.recorder import record
from scheduler_app.ledger import counters
from scheduler_app.models import (
    Job,
    JobRun,
    Node,
    RunState,
    SchedulePeriod,
    Surface,
    timetable_rows,
)
from scheduler_app.registry import Registry, job
from tests.engine.conftest import T0, SetClock, counted, mark_orphans, nothing, sync_jobs

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("early")]
Declare = Callable[..., None]
Start = Callable[..., Claimer]
ADA = Actor("ada", Surface.ADMIN)
BEGIN = T0 - timedelta(minutes=1)


def periods() -> list[tuple[str, datetime, datetime | None]]:
    rows = SchedulePeriod.objects.order_by("id")
    return list(rows.values_list("state", "begins_at", "ends_at"))


def test_new_job_has_one_period(declare: Declare, start: Start) -> None:
    declare("a")
    start()
    start()
    assert periods() == [("active", BEGIN, None)]


def test_pause_and_resume_turn_the_period_at_one_moment(
    declare: Declare, start: Start, set_clock: SetClock
) -> None:
    declare("a", cron="0 13 * * *")
    start()
    set_clock(T0)
    control.pause("a", by=ADA, reason="maintenance")
    set_clock(T0 + timedelta(minutes=5))
    control.resume("a", by=ADA)
    later = T0 + timedelta(minutes=5)
    assert periods() == [("active", BEGIN, T0), ("paused", T0, later), ("active", later, None)]
    assert SchedulePeriod.objects.get(state="paused").reason == (
        "Paused by ada (admin): maintenance"
    )


def test_changed_schedule_begins_a_period(declare: Declare, start: Start) -> None:
    declare("a")
    start()
    other = Registry()
    job(name="a", cron="30 * * * *", timezone="UTC", registry=other)(nothing)
    sync_jobs(other, T0)
    assert list(SchedulePeriod.objects.order_by("id").values_list("cron", "ends_at")) == [
        ("* * * * *", T0),
        ("30 * * * *", None),
    ]


def test_changed_policy_begins_none(declare: Declare, start: Start) -> None:
    declare("a")
    start()
    other = Registry()
    job(name="a", cron="* * * * *", timezone="UTC", retries=3, registry=other)(nothing)
    assert sync_jobs(other, T0).changed == ["a"]
    assert Job.objects.get().retries == 3
    assert len(periods()) == 1


def test_orphaned_job_has_a_period_of_its_own(
    declare: Declare, start: Start, node: Node, registry: Registry
) -> None:
    declare("a")
    start()
    Node.objects.update(declares=[])
    mark_orphans(T0)
    sync_jobs(registry, T0 + timedelta(hours=1))
    assert [state for state, *_ in periods()] == ["active", "orphaned", "active"]


def test_clock_put_back_never_makes_periods_overlap(
    declare: Declare, start: Start, set_clock: SetClock
) -> None:
    declare("a")
    claimer = start()
    claimer.claim(T0)
    set_clock(T0 - timedelta(hours=1))
    control.pause("a", by=ADA)
    set_clock(T0 - timedelta(minutes=30))
    control.resume("a", by=ADA)
    assert periods() == [("active", BEGIN, T0), ("paused", T0, T0), ("active", T0, None)]
    assert timetable_rows().get().next_run_time == T0 + timedelta(minutes=1)


def test_deleted_timetable_row_goes_on_where_the_ledger_ends(
    declare: Declare, start: Start, registry: Registry
) -> None:
    declare("a")
    start().claim(T0)
    timetable_rows().delete()
    sync_jobs(registry, T0 + timedelta(hours=1))
    assert timetable_rows().get().next_run_time == T0 + timedelta(minutes=1)


def test_deleted_timetable_row_loses_nothing_that_was_due_before_a_pause(
    declare: Declare, start: Start, set_clock: SetClock
) -> None:
    declare("a")
    start().claim(T0)
    timetable_rows().delete()
    set_clock(T0 + timedelta(minutes=5))
    control.pause("a", by=ADA)
    skipped = JobRun.objects.get(state=RunState.SKIPPED)
    assert (skipped.first_scheduled_for, skipped.occurrences) == (T0 + timedelta(minutes=1), 5)


def test_deleted_timetable_row_loses_nothing_that_was_due_before_a_change(
    declare: Declare, start: Start
) -> None:
    declare("a")
    start().claim(T0)
    timetable_rows().delete()
    other = Registry()
    job(name="a", cron="30 * * * *", timezone="UTC", registry=other)(nothing)
    sync_jobs(other, T0 + timedelta(minutes=5))
    assert JobRun.objects.get(state=RunState.SKIPPED).occurrences == 5
    assert timetable_rows().get().next_run_time == T0 + timedelta(minutes=30)


@pytest.fixture
def put_off(declare: Declare, start: Start) -> Registry:
    """An hourly job that ran at noon; and its next release, in which noon is due later."""
    declare("a", cron="0 * * * *")
    start().claim(T0)
    release = Registry()
    job(name="a", cron="0 * * * *", timezone="UTC", jitter=3000, registry=release)(nothing)
    return release


def test_more_jitter_does_not_have_an_occurrence_due_twice(put_off: Registry) -> None:
    sync_jobs(put_off, T0 + timedelta(seconds=1))
    next_due = timetable_rows().get().next_run_time
    assert next_due is not None
    assert next_due >= T0 + timedelta(hours=1)


def test_more_jitter_during_a_pause_does_not_have_an_occurrence_due_twice(
    put_off: Registry, set_clock: SetClock
) -> None:
    set_clock(T0 + timedelta(seconds=1))
    control.pause("a", by=ADA)
    sync_jobs(put_off, T0 + timedelta(seconds=2))
    set_clock(T0 + timedelta(seconds=3))
    control.resume("a", by=ADA)
    next_due = timetable_rows().get().next_run_time
    assert next_due is not None
    assert next_due >= T0 + timedelta(hours=1)


@pytest.fixture
def put_off_less(declare: Declare, start: Start) -> tuple[Claimer, Registry, datetime]:
    """A job whose noon is put off; its next release, in which noon was due at once; and when noon
    is due until that is deployed."""
    declare("a", cron="0 12 * * *", jitter=3000)
    claimer = start()
    release = Registry()
    job(name="a", cron="0 12 * * *", timezone="UTC", registry=release)(nothing)
    due_at = timetable_rows().get().next_run_time
    assert due_at is not None
    assert due_at > T0 + timedelta(minutes=5)
    return claimer, release, due_at


def test_less_jitter_does_not_lose_the_occurrence_that_waits_for_its_time(
    put_off_less: tuple[Claimer, Registry, datetime],
) -> None:
    claimer, release, due_at = put_off_less
    sync_jobs(release, T0 + timedelta(minutes=1))
    run = JobRun.objects.get()
    assert (run.state, run.scheduled_for, run.due_at) == (RunState.QUEUED, T0, due_at)
    assert claimer.claim(due_at - timedelta(seconds=1)) == []
    assert claimer.claim(due_at) == [run]
    assert periods() == [("active", BEGIN, due_at), ("active", due_at, None)]
    assert timetable_rows().get().next_run_time == T0 + timedelta(days=1)
    assert list(audit_ledger()) == []


def test_less_jitter_twice_keeps_one_run(
    put_off_less: tuple[Claimer, Registry, datetime],
) -> None:
    _, release, due_at = put_off_less
    sync_jobs(release, T0 + timedelta(minutes=1))
    third = Registry()
    job(name="a", cron="0 12 * * *", timezone="UTC", jitter=1, registry=third)(nothing)
    sync_jobs(third, T0 + timedelta(minutes=2))
    assert JobRun.objects.get().due_at == due_at
    assert list(audit_ledger()) == []


def test_less_jitter_has_an_occurrence_that_is_still_to_come_due_earlier(
    put_off_less: tuple[Claimer, Registry, datetime],
) -> None:
    _, release, _ = put_off_less
    sync_jobs(release, T0 - timedelta(seconds=1))
    assert timetable_rows().get().next_run_time == T0
    assert not JobRun.objects.exists()


def test_less_jitter_brings_back_no_occurrence_that_is_in_the_ledger(
    put_off: Registry, registry: Registry
) -> None:
    sync_jobs(put_off, T0 + timedelta(seconds=1))
    sync_jobs(registry, T0 + timedelta(seconds=2))
    assert JobRun.objects.get().scheduled_for == T0
    assert list(audit_ledger()) == []


@pytest.mark.parametrize("deleted", ["runs", "runs and timetable"])
@pytest.mark.parametrize("is_folded", [True, False])
def test_deleted_history_is_not_recorded_as_skipped(
    declare: Declare, start: Start, deleted: str, is_folded: bool
) -> None:
    declare("a")
    claimer = start()
    for minute in range(12):
        (run,) = claimer.claim(T0 + timedelta(minutes=minute))
        record([run], [])
        run.state, run.finished_at = RunState.SUCCESS, run.due_at
        record([], [run])
    if is_folded:
        counters.fold()
    JobRun.objects.all().delete()
    if deleted == "runs and timetable":
        timetable_rows().delete()
    Job.objects.update(cron="*/5 * * * *")
    start(T0 + timedelta(minutes=11, seconds=30))
    assert not JobRun.objects.exists()
    assert (counted("run_count"), counted("skip_count")) == (12, 0)
    assert {found.kind for found in audit_ledger()} == {Kind.INCOMPLETE}
