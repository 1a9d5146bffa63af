"""The ledger held against the schedules: clean after whatever the engine does, and nothing wrong
goes unseen."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random

import pytest
from django.db import connection
from django.db.models import F

from scheduler_app import control, jobs
from scheduler_app.consistency.check import audit_ledger
from scheduler_app.consistency.report import Kind, Tally
from scheduler_app.control import Actor
from scheduler_app.engine.claim import Claimer
from scheduler_app.exceptions import JobNotFound
from scheduler_app.models import (
    Job,
    JobCount,
    JobRun,
    Node,
    RunState,
    SchedulePeriod,
    Surface,
    timetable_rows,
)
from scheduler_app.registry import JobContext, Registry, job
from tests.engine.conftest import T0, mark_orphans, nothing, sync_jobs
from tests.explain.conftest import SetClock, finish
from tests.harness.heartbeats import silent_for

Declare = Callable[..., None]
Start = Callable[..., Claimer]
ADA = Actor("ada", Surface.CLI)
MINUTE = timedelta(minutes=1)
pytestmark = pytest.mark.usefixtures("early")


def found(**bounds: datetime) -> list[str]:
    return [str(discrepancy) for discrepancy in audit_ledger(**bounds)]  # type: ignore[arg-type]


def kinds() -> list[Kind]:
    return [discrepancy.kind for discrepancy in audit_ledger()]


def tally() -> dict[str, int]:
    counted = Tally()
    assert list(audit_ledger(tally=counted)) == []
    return dict(counted.occurrences)


@pytest.fixture
def ten(declare: Declare, start: Start) -> Claimer:
    """A job of every minute, whose first ten occurrences (from T0 on) ran."""
    declare("a")
    claimer = start()
    for minute in range(10):
        finish(claimer.claim(T0 + minute * MINUTE))
    return claimer


def test_what_ran_is_accounted_for(ten: Claimer) -> None:
    assert tally() == {"runs": 10}


def test_skipped_and_missed_occurrences_are_accounted_for(ten: Claimer) -> None:
    runs = ten.claim(T0 + 10 * MINUTE)
    ten.claim(T0 + 11 * MINUTE)
    finish(runs)
    ten.claim(T0 + 20 * MINUTE)
    assert tally() == {"runs": 12, "skipped": 1, "missed": 8}


def test_paused_occurrences_are_accounted_for(ten: Claimer, set_clock: SetClock) -> None:
    set_clock(T0 + 9.5 * MINUTE)
    control.pause("a", by=ADA)
    set_clock(T0 + 12.5 * MINUTE)
    control.resume("a", by=ADA)
    finish(ten.claim(T0 + 13 * MINUTE))
    assert tally() == {"runs": 11, "paused": 3}


def test_orphaned_occurrences_are_accounted_for(
    ten: Claimer, node: Node, registry: Registry, set_clock: SetClock
) -> None:
    Node.objects.update(declares=[])
    mark_orphans(T0 + 9.5 * MINUTE)
    set_clock(T0 + 11.5 * MINUTE)
    assert tally() == {"runs": 10, "orphaned": 2}
    sync_jobs(registry, T0 + 12.5 * MINUTE)
    finish(ten.claim(T0 + 13 * MINUTE))
    set_clock(T0 + 13 * MINUTE)
    assert tally() == {"runs": 11, "orphaned": 3}


def test_each_period_is_measured_by_its_own_schedule(ten: Claimer) -> None:
    registry = Registry()
    job(name="a", cron="*/5 * * * *", timezone="UTC", registry=registry)(nothing)
    sync_jobs(registry, T0 + 12.5 * MINUTE)
    finish(ten.claim(T0 + 15 * MINUTE))
    assert tally() == {"runs": 11, "skipped": 3}


def test_occurrence_that_longer_jitter_puts_into_the_next_period_is_expected_once(
    declare: Declare, start: Start
) -> None:
    declare("a", cron="0 * * * *")
    claimer = start()
    finish(claimer.claim(T0))
    registry = Registry()
    job(name="a", cron="0 * * * *", timezone="UTC", jitter=3500, registry=registry)(nothing)
    sync_jobs(registry, T0 + timedelta(seconds=1))
    finish(claimer.claim(T0 + timedelta(hours=3, minutes=59)))
    assert list(audit_ledger()) == []


def test_retries_are_no_occurrences_and_count_once(declare: Declare, start: Start) -> None:
    declare("a", retries=2, retry_delay=1)
    claimer = start()
    for minute in range(3):
        finish(claimer.claim(T0 + minute * MINUTE), RunState.FAILED)
    finish(claimer.claim(T0 + 2.9 * MINUTE), RunState.FAILED)
    assert tally() == {"runs": 3}


@pytest.mark.parametrize(
    "seed", [*range(4), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(4, 12))]
)
def test_nothing_is_found_after_any_life(
    seed: int, declare: Declare, start: Start, node: Node, set_clock: SetClock
) -> None:
    random = Random(seed)
    policies = {
        "overlap": random.choice(["skip", "allow", "queue", "cancel_previous"]),
        "catch_up": random.choice(["skip", "once", "all"]),
        "retries": random.choice([0, 2]),
        "retry_delay": 5,
    }
    declare("a", cron="* * * * *", jitter=random.choice([0, 50]), **policies)
    claimer, now = start(), T0

    def change() -> None:
        registry = Registry()
        cron = random.choice(["*/2 * * * *", "*/20 * * * * *", "* * * * *"])
        jitter = random.choice([0, 0, 90])
        options = policies | {"cron": cron, "jitter": jitter, "timezone": "UTC"}
        job(name="a", registry=registry, **options)(nothing)  # type: ignore[arg-type]
        sync_jobs(registry, now)

    def orphan() -> None:
        Node.objects.update(declares=[])
        mark_orphans(now)
        Node.objects.update(declares=["a"])

    def end_some() -> None:
        for run in JobRun.objects.active().exclude(node=None):
            state = random.choice([RunState.SUCCESS, RunState.FAILED])
            finish([run], state) if random.random() < 0.8 else None

    actions: list[Callable[[], object]] = [
        *[lambda: claimer.claim(now, random.choice([0, 5]))] * 6,
        *[end_some] * 4,
        lambda: control.pause("a", by=ADA),
        *[lambda: control.resume("a", by=ADA)] * 2,
        change,
        orphan,
        lambda: setattr(claimer, "after_stop", True),
    ]
    for _ in range(60):
        now += timedelta(seconds=random.choice([0.5, 7, 61, 400]))
        set_clock(now)
        random.choice(actions)()
    set_clock(T0)  # the last may have left something to be claimed
    assert found() == []


def test_deleted_row_is_found(ten: Claimer) -> None:
    JobRun.objects.filter(scheduled_for=T0 + 4 * MINUTE).delete()
    (lost, *others) = audit_ledger(since=T0)
    assert str(lost) == (
        "a 2026-03-02 12:04:00+00:00: history incomplete: no row is left of this occurrence"
    )
    assert (lost.kind, lost.occurrences, others) == (Kind.INCOMPLETE, 1, [])


def test_occurrence_that_was_never_accounted_for_is_lost(ten: Claimer) -> None:
    JobRun.objects.filter(scheduled_for__gte=T0 + 9 * MINUTE).delete()
    JobCount.objects.filter(accounted_to__gte=T0 + 9 * MINUTE).delete()
    (lost,) = audit_ledger()
    assert str(lost) == "a 2026-03-02 12:09:00+00:00: no row accounts for this occurrence"
    assert (lost.kind, lost.occurrences) == (Kind.LOST, 1)


def test_neighbours_that_are_lost_share_a_line(ten: Claimer) -> None:
    JobRun.objects.filter(scheduled_for__gte=T0 + 7 * MINUTE).delete()
    assert found(since=T0) == [
        "a 2026-03-02 12:07:00+00:00: "
        "history incomplete: no row is left of these 3 occurrences up to 2026-03-02 12:09:00+00:00"
    ]


def test_row_that_the_schedule_does_not_have_is_found(ten: Claimer) -> None:
    moment = T0 + timedelta(seconds=30)
    JobRun.objects.filter(scheduled_for=T0).update(scheduled_for=moment, due_at=moment)
    assert kinds() == [Kind.INCOMPLETE, Kind.UNEXPECTED]


def test_row_before_the_job_was_declared_is_found(ten: Claimer) -> None:
    moment = T0 - timedelta(days=1)
    JobRun.objects.filter(scheduled_for=T0).update(scheduled_for=moment, due_at=moment)
    assert kinds() == [Kind.UNEXPECTED, Kind.INCOMPLETE]


def test_row_inside_a_pause_is_found(ten: Claimer, set_clock: SetClock) -> None:
    set_clock(T0 + 9.5 * MINUTE)
    control.pause("a", by=ADA)
    SchedulePeriod.objects.filter(state="active").update(ends_at=T0 + 8.5 * MINUTE)
    SchedulePeriod.objects.filter(state="paused").update(begins_at=T0 + 8.5 * MINUTE)
    (text,) = found()
    assert text.endswith("accounts for it although the job was paused then")


def test_occurrence_in_two_ranges_is_found(ten: Claimer) -> None:
    JobRun.objects.filter(scheduled_for=T0 + 5 * MINUTE).update(
        first_scheduled_for=T0 + 2 * MINUTE, occurrences=4
    )
    assert set(kinds()) == {Kind.DOUBLED}


@pytest.mark.parametrize("occurrences", [3, 5])
def test_range_that_counts_wrongly_is_found(ten: Claimer, occurrences: int) -> None:
    ten.claim(T0 + 14 * MINUTE)
    missed = JobRun.objects.filter(state=RunState.MISSED)
    assert missed.get().occurrences == 4
    missed.update(occurrences=occurrences)
    JobCount.objects.filter(miss_count=4).update(miss_count=occurrences)
    assert kinds() == [Kind.RANGE]


@pytest.mark.parametrize("counter", ["run_count", "error_count", "skip_count", "miss_count"])
def test_wrong_counter_is_found(ten: Claimer, counter: str) -> None:
    Job.objects.update(**{counter: F(counter) + 1})
    (text,) = found()
    assert text.startswith(f"a: its {counter} is ")


def test_hole_between_periods_is_found(ten: Claimer, set_clock: SetClock) -> None:
    set_clock(T0 + 9.5 * MINUTE)
    control.pause("a", by=ADA)
    SchedulePeriod.objects.open().update(begins_at=T0 + 11 * MINUTE)
    assert kinds() == [Kind.PERIOD]


def test_overlap_of_periods_is_found(ten: Claimer, set_clock: SetClock) -> None:
    set_clock(T0 + 9.5 * MINUTE)
    control.pause("a", by=ADA)
    SchedulePeriod.objects.open().update(begins_at=T0 + 9.1 * MINUTE)
    assert kinds() == [Kind.PERIOD]


def test_job_that_differs_from_its_period_is_found(ten: Claimer) -> None:
    Job.objects.update(jitter=5)
    assert kinds() == [Kind.PERIOD]


def test_job_without_a_period_is_found(ten: Claimer) -> None:
    SchedulePeriod.objects.all().delete()
    assert kinds() == [Kind.PERIOD, *[Kind.UNEXPECTED] * 10]


def test_active_job_that_is_never_due_is_found(ten: Claimer, set_clock: SetClock) -> None:
    timetable_rows().update(next_run_time=None)
    set_clock(T0 + 10.5 * MINUTE)
    assert kinds() == [Kind.TIMETABLE, Kind.LOST]


def test_paused_job_that_is_due_is_found(ten: Claimer, set_clock: SetClock) -> None:
    set_clock(T0 + 9.5 * MINUTE)
    control.pause("a", by=ADA)
    timetable_rows().update(next_run_time=T0 + 10 * MINUTE)
    assert kinds() == [Kind.TIMETABLE]


def test_timetable_that_was_put_back_is_found(ten: Claimer) -> None:
    timetable_rows().update(next_run_time=T0 + 9 * MINUTE)
    assert kinds() == [Kind.UNEXPECTED]


def test_timetable_that_was_put_forward_is_found(ten: Claimer) -> None:
    timetable_rows().update(next_run_time=T0 + 20 * MINUTE)
    (lost,) = audit_ledger()
    assert (lost.kind, lost.occurrences) == (Kind.LOST, 10)


def test_run_that_a_stopped_scheduler_holds_is_found(ten: Claimer, node: Node) -> None:
    ten.claim(T0 + 10 * MINUTE)
    Node.objects.update(stopped_at=T0)
    (text,) = found()
    assert text.endswith("is queued on here:1, which has stopped")


def test_bounds_are_from_and_up_to_before(ten: Claimer) -> None:
    counted = Tally()
    list(audit_ledger(T0 + 2 * MINUTE, T0 + 5 * MINUTE, tally=counted))
    assert counted.occurrences == {"runs": 3}


@pytest.mark.parametrize(("since", "until", "missed"), [(12, 99, 3), (0, 13, 3), (12, 14, 2)])
def test_range_across_a_bound_accounts_for_its_part(
    ten: Claimer, since: int, until: int, missed: int
) -> None:
    ten.claim(T0 + 15 * MINUTE)
    counted = Tally()
    bounds = (T0 + since * MINUTE, T0 + until * MINUTE)
    assert [*audit_ledger(*bounds, tally=counted)] == []
    assert counted.occurrences["missed"] == missed


def test_other_jobs_are_left_out(ten: Claimer, declare: Declare, start: Start) -> None:
    declare("b")
    start()
    JobRun.objects.all().delete()
    assert list(audit_ledger(jobs=["b"])) == []


def test_unknown_job_is_named(ten: Claimer) -> None:
    with pytest.raises(JobNotFound, match="nope"):
        list(audit_ledger(jobs=["nope"]))


def test_summary_tells_the_equation(ten: Claimer) -> None:
    counted = Tally()
    list(audit_ledger(tally=counted))
    assert str(counted) == (
        "1 job, 10 occurrences = 10 runs + 0 skipped + 0 missed + 0 paused + 0 orphaned + "
        "0 unaccounted; no discrepancy"
    )


def test_pruned_ledger_is_clean(ten: Claimer, set_clock: SetClock) -> None:
    for minute in range(10, 30):
        finish(ten.claim(T0 + minute * MINUTE))
    ten.claim(T0 + 35 * MINUTE)
    set_clock(T0 + timedelta(days=60))
    jobs.prune_run_history(JobContext(job_name="p", run_id=1, scheduled_for=T0))
    set_clock(T0)
    assert JobRun.objects.count() < 15
    assert found() == []
    counted = Tally()
    list(audit_ledger(T0, tally=counted))
    assert counted.occurrences == {"runs": 10, "missed": 5}


def test_prune_that_breaks_off_leaves_a_clean_ledger(
    ten: Claimer, set_clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for minute in range(10, 30):
        finish(ten.claim(T0 + minute * MINUTE))
    set_clock(T0 + timedelta(days=60))
    monkeypatch.setattr(jobs, "BATCH", 3)
    context = JobContext(job_name="p", run_id=1, scheduled_for=T0)
    monkeypatch.setattr(JobContext, "report", lambda self, **_: self.cancel_event.set())
    jobs.prune_run_history(context)
    set_clock(T0)
    assert JobRun.objects.count() == 27
    assert found() == []


@pytest.mark.django_db(transaction=True)
def test_claims_beside_the_audit_are_no_false_alarm(declare: Declare, start: Start) -> None:
    declare("a", overlap="allow")
    claimer = start()
    stop = threading.Event()

    def claim() -> None:
        for minute in range(10_000):
            if stop.is_set():
                break
            claimer.claim(T0 + minute * MINUTE)
        connection.close()

    thread = threading.Thread(target=claim)
    thread.start()
    try:
        while JobRun.objects.count() < 50:
            assert found() == []
    finally:
        stop.set()
        thread.join()


@pytest.mark.django_db(transaction=True)
def test_audit_keeps_no_scheduler_waiting(ten: Claimer) -> None:
    JobRun.objects.all().delete()
    audit = audit_ledger(since=T0)
    next(audit)  # it stands in the middle of its reading

    def claim() -> None:
        ten.claim(T0 + 10 * MINUTE)
        connection.close()

    thread = threading.Thread(target=claim)
    thread.start()
    thread.join(30)
    assert not thread.is_alive()
    assert list(audit) == []
    assert JobRun.objects.count() == 1


def test_declared_job_without_a_row_is_found(ten: Claimer) -> None:
    Job.objects.all().delete()
    assert kinds() == [Kind.MISSING]


def test_declared_job_without_a_row_can_be_asked_for(ten: Claimer) -> None:
    Job.objects.all().delete()
    assert [each.kind for each in audit_ledger(jobs=["a"])] == [Kind.MISSING]


def test_overdue_occurrences_of_living_schedulers_are_found(
    ten: Claimer, set_clock: SetClock
) -> None:
    set_clock(T0 + 12.5 * MINUTE)
    overdue = [each for each in audit_ledger() if each.kind == Kind.OVERDUE]
    assert [(each.moment, each.occurrences) for each in overdue] == [(T0 + 10 * MINUTE, 3)]
    assert "no scheduler has claimed them" in str(overdue[0])


def test_what_is_due_just_now_is_not_overdue(ten: Claimer, set_clock: SetClock) -> None:
    set_clock(T0 + 10 * MINUTE + timedelta(seconds=9))
    assert kinds() == []


def test_nothing_is_overdue_after_all_schedulers_have_stopped(
    ten: Claimer, set_clock: SetClock
) -> None:
    Node.objects.update(stopped_at=T0)
    set_clock(T0 + 12.5 * MINUTE)
    assert kinds() == []


def test_occurrences_of_a_scheduler_that_died_are_overdue(
    ten: Claimer, set_clock: SetClock
) -> None:
    silent_for(ten.node, 3600)
    set_clock(T0 + 12.5 * MINUTE)
    assert kinds() == [Kind.OVERDUE]


def test_period_by_unknown_rules_of_its_zone_cannot_be_judged(ten: Claimer) -> None:
    SchedulePeriod.objects.update(zone_rules="other")
    JobRun.objects.filter(scheduled_for=T0).delete()
    counted = Tally()
    assert {each.kind for each in audit_ledger(tally=counted)} == {Kind.COUNTER}
    assert str(counted).endswith("1 period cannot be judged")
