"""Claiming: the timetable and the ledger move together, once."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from pytest_django import DjangoAssertNumQueries, Settings

from scheduler_app.engine import claim, plan
from scheduler_app.engine.claim import Claimer
from scheduler_app.ledger import timetable
from scheduler_app.models import Job, JobRun, Node, RunState, Trigger, row_id, timetable_rows
from scheduler_app.policies import Overlap
from scheduler_app.registry import Registry, job
from tests.engine.conftest import T0, counted, nothing
from tests.engine.faults import failing_commit

Declare = Callable[..., None]
Start = Callable[..., Claimer]


def states() -> list[str]:
    return list(JobRun.objects.order_by("id").values_list("state", flat=True))


def test_nothing_is_due_before_its_time(declare: Declare, start: Start) -> None:
    declare("a")
    assert start().claim(T0 - timedelta(milliseconds=1)) == []


def test_due_job_is_claimed_for_this_node(declare: Declare, start: Start, node: Node) -> None:
    declare("a")
    (run,) = start().claim(T0)
    assert run.pk
    assert JobRun.objects.get() == run
    assert (run.scheduled_for, run.due_at, run.state, run.node) == (T0, T0, "queued", node)


def test_claim_advances_the_timetable(declare: Declare, start: Start) -> None:
    declare("a")
    start().claim(T0)
    assert timetable_rows().get(id=row_id("a")).next_run_time == T0 + timedelta(minutes=1)


def test_second_claim_finds_nothing(declare: Declare, start: Start) -> None:
    declare("a")
    claimer = start()
    claimer.claim(T0)
    assert claimer.claim(T0) == []


def test_busy_job_is_skipped_and_counted(declare: Declare, start: Start) -> None:
    declare("a")
    claimer = start()
    claimer.claim(T0)
    assert claimer.claim(T0 + timedelta(minutes=1)) == []
    assert states() == ["queued", "skipped"]
    assert counted("skip_count") == 1


def test_job_that_may_overlap_is_claimed_again(declare: Declare, start: Start) -> None:
    declare("a", overlap="allow")
    claimer = start()
    claimer.claim(T0)
    assert len(claimer.claim(T0 + timedelta(minutes=1))) == 1


def test_downtime_leaves_one_missed_row(declare: Declare, start: Start) -> None:
    declare("a")
    claimer = start(after_stop=True)
    runs = claimer.claim(T0 + timedelta(minutes=10, seconds=5))
    assert [run.scheduled_for for run in runs] == [T0 + timedelta(minutes=10)]
    missed = JobRun.objects.get(state=RunState.MISSED)
    assert missed.occurrences == 10
    assert missed.first_scheduled_for == T0
    assert missed.scheduled_for == T0 + timedelta(minutes=9)
    assert missed.message == "Missed: no scheduler was running."
    assert counted("miss_count") == 10


def test_after_stop_holds_for_the_first_claim_only(declare: Declare, start: Start) -> None:
    declare("a", overlap="allow")
    claimer = start(after_stop=True)
    claimer.claim(T0)
    assert len(claimer.claim(T0 + timedelta(minutes=2))) == 2


def test_occurrence_due_after_the_first_claim_is_not_one_of_the_stop(
    declare: Declare, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although no claim is complete: more is due all the time than one claims."""
    monkeypatch.setattr(claim, "LIMIT", 1)
    declare("a", overlap="allow")
    declare("b", overlap="allow")
    claimer = start(after_stop=True)
    first, second, third = (claimer.claim(T0 + timedelta(minutes=number)) for number in range(3))
    assert [run.job_name for run in first] == ["a"]
    assert [run.job_name for run in second] == ["b"]
    assert [run.job_name for run in third] == ["a", "a"]
    missed = JobRun.objects.get(state=RunState.MISSED)
    assert (missed.job_name, missed.message) == ("b", "Missed: no scheduler was running.")


def test_start_after_a_stop_is_over_although_nothing_was_due(
    declare: Declare, start: Start
) -> None:
    declare("a", cron="0 12 * * *")
    start().claim(T0)
    JobRun.objects.update(node=None)
    claimer = start(after_stop=True)
    assert claimer.claim(T0 + timedelta(seconds=10), free_slots=0) == []
    assert len(claimer.claim(T0 + timedelta(seconds=61))) == 1


def test_after_stop_holds_if_the_first_claim_fails(declare: Declare, start: Start) -> None:
    declare("a", overlap="allow")
    claimer = start(after_stop=True)
    with failing_commit(2), pytest.raises(OperationalError):
        claimer.claim(T0 + timedelta(seconds=60))
    assert len(claimer.claim(T0 + timedelta(seconds=60))) == 1


def test_after_stop_holds_until_a_long_downtime_is_dealt_with(
    declare: Declare, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "BATCH", 3)
    declare("a", overlap="allow")
    claimer = start(after_stop=True)
    now = T0 + timedelta(minutes=4)
    assert [len(claimer.claim(now)) for _ in range(3)] == [0, 1, 0]


def test_jobs_due_together_share_their_updates(
    declare: Declare, start: Start, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(40):
        declare(f"job-{number}")
    claimer = start()
    with django_assert_max_num_queries(17):
        assert len(claimer.claim(T0)) == 40


def test_timetable_put_back_does_not_double_a_run(declare: Declare, start: Start) -> None:
    declare("a", overlap="allow")
    declare("b", overlap="allow")
    claimer = start()
    claimer.claim(T0)
    timetable_rows().filter(id=row_id("a")).update(next_run_time=T0)
    runs = claimer.claim(T0 + timedelta(minutes=1))
    assert sorted((run.job_name, run.scheduled_for) for run in runs) == [
        ("a", T0 + timedelta(minutes=1)),
        ("b", T0 + timedelta(minutes=1)),
    ]
    assert JobRun.objects.count() == 4


@pytest.mark.parametrize("back", [timedelta(0), timedelta(minutes=3)])
def test_timetable_put_back_does_not_double_what_was_missed(
    declare: Declare, start: Start, back: timedelta
) -> None:
    declare("a")
    claimer = start()
    claimer.claim(T0 + timedelta(minutes=5))
    timetable_rows().update(next_run_time=T0 + back)
    claimer.claim(T0 + timedelta(minutes=10))
    assert sum(JobRun.objects.values_list("occurrences", flat=True)) == 11
    assert JobRun.objects.get(scheduled_for=T0 + timedelta(minutes=9)).occurrences == 4


@pytest.mark.parametrize("cron", ["* * * * *", "30 2 * * *"])
def test_timetable_put_back_into_what_one_row_accounts_for_does_not_double_it(
    declare: Declare, start: Start, cron: str
) -> None:
    """The ledger refuses only the last occurrence of such a row by itself. No other needs to be due
    again: the clock was put back, too, or the schedule has been changed."""
    declare("a", overlap="allow")
    claimer = start(after_stop=True)
    claimer.claim(T0 + timedelta(minutes=5))
    Job.objects.update(cron=cron)
    timetable_rows().update(next_run_time=T0 + timedelta(minutes=3))
    assert claimer.claim(T0 + timedelta(minutes=3)) == []
    assert timetable_rows().get().next_run_time > T0 + timedelta(minutes=5)
    assert sum(JobRun.objects.values_list("occurrences", flat=True)) == 6


def test_timetable_put_back_does_not_cancel_the_run_for_itself(
    declare: Declare, start: Start
) -> None:
    declare("a", overlap="cancel_previous")
    claimer = start()
    claimer.claim(T0)
    timetable_rows().update(next_run_time=T0)
    claimer.claim(T0)
    run = JobRun.objects.get()
    assert (run.state, run.cancel_requested_at) == ("queued", None)
    assert timetable_rows().get().next_run_time == T0 + timedelta(minutes=1)


def test_job_that_this_code_lacks_is_left_to_others(
    declare: Declare, start: Start, node: Node
) -> None:
    declare("a")
    start()
    without = Claimer(node, Registry())
    assert without.claim(T0) == []
    assert without.next_due is None
    assert timetable_rows().get().next_run_time == T0


def test_waiting_run_of_a_job_that_this_code_lacks_stands_in_nobodys_way(
    declare: Declare, start: Start, node: Node
) -> None:
    declare("a", cron="0 0 1 1 *")
    declare("b", cron="0 0 1 1 *")
    start()
    rows = [JobRun(job_name=name, scheduled_for=T0, due_at=T0) for name in ("a", "b")]
    _, ours = JobRun.objects.bulk_create(rows)
    code = Registry()
    job(name="b", cron="0 0 1 1 *", timezone="UTC", registry=code)(nothing)
    assert Claimer(node, code).claim(T0, free_slots=1) == [ours]


def test_waiting_run_of_a_job_without_a_timetable_row_stands_in_nobodys_way(
    declare: Declare, start: Start
) -> None:
    declare("a", cron="0 0 1 1 *")
    declare("b", cron="0 0 1 1 *")
    claimer = start()
    rows = [JobRun(job_name=name, scheduled_for=T0, due_at=T0) for name in ("a", "b")]
    _, startable = JobRun.objects.bulk_create(rows)
    timetable_rows().filter(id=row_id("a")).delete()
    assert claimer.claim(T0, free_slots=1) == [startable]


def test_request_is_taken(declare: Declare, start: Start, node: Node) -> None:
    declare("a")
    claimer = start(T0)
    asked = JobRun.objects.create(job_name="a", trigger=Trigger.MANUAL, scheduled_for=T0, due_at=T0)
    assert claimer.claim(T0) == [asked]
    assert JobRun.objects.get().node == node


def test_request_waits_for_the_run_that_is_going(declare: Declare, start: Start) -> None:
    declare("a")
    claimer = start()
    claimer.claim(T0)
    asked = JobRun.objects.create(job_name="a", trigger=Trigger.MANUAL, scheduled_for=T0, due_at=T0)
    assert claimer.claim(T0 + timedelta(seconds=1)) == []
    scheduled = JobRun.objects.scheduled()
    scheduled.update(state=RunState.SUCCESS, started_at=T0, finished_at=T0)
    assert claimer.claim(T0 + timedelta(seconds=2)) == [asked]


def test_released_occurrence_is_missed_after_its_grace(declare: Declare, start: Start) -> None:
    declare("a", cron="0 12 * * *")
    start().claim(T0)
    JobRun.objects.update(node=None)
    assert start(after_stop=True).claim(T0 + timedelta(seconds=61)) == []
    assert states() == ["missed"]
    assert counted("miss_count") == 1


def test_jitter_delays_the_run_and_not_its_identity(declare: Declare, start: Start) -> None:
    declare("a", cron="0 * * * *", jitter=600)
    claimer = start()
    due_at = timetable.next_due()
    assert due_at is not None
    (run,) = claimer.claim(due_at)
    assert run.scheduled_for == T0
    assert run.due_at == due_at


@pytest.mark.django_db(transaction=True)
def test_nodes_that_claim_at_the_same_moment_never_share_a_run(
    declare: Declare, start: Start, registry: Registry, settings: Settings
) -> None:
    # One that passes over what another has locked may be minutes ahead, by this test's clock.
    settings.SCHEDULER = {"misfire_grace": 600}
    for number in range(30):
        declare(f"job-{number}", overlap=Overlap.ALLOW)
    start()
    claimers = [Claimer(Node.objects.create(name=f"n{i}"), registry) for i in range(3)]
    barrier = threading.Barrier(3)

    def compete(claimer: Claimer) -> None:
        barrier.wait(30)
        for minute in range(5):
            claimer.claim(T0 + timedelta(minutes=minute))
        connection.close()

    threads = [threading.Thread(target=compete, args=(claimer,)) for claimer in claimers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    claimers[0].claim(T0 + timedelta(minutes=4))  # what a lock made all others pass over
    runs = JobRun.objects.filter(state=RunState.QUEUED)
    assert runs.count() == 30 * 5
    assert runs.values("job_name", "scheduled_for").distinct().count() == 30 * 5


def test_overloaded_node_leaves_what_is_due_to_others(
    declare: Declare, start: Start, registry: Registry
) -> None:
    declare("a")
    claimer = start()
    assert claimer.claim(T0, is_overloaded=True) == []
    assert claimer.next_due is not None
    assert T0 < claimer.next_due <= T0 + timedelta(seconds=1)
    other = Claimer(Node.objects.create(name="there:2", declares=["a"]), registry)
    assert len(other.claim(T0)) == 1
