"""Pauses that end by themselves, what is caught up with at their end, and whole periods."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from scheduler_app import control
from scheduler_app.consistency.check import audit_ledger
from scheduler_app.control import Actor
from scheduler_app.engine import leases
from scheduler_app.engine.claim import Claimer
from scheduler_app.exceptions import ActionRefused, JobNotFound, RequestError
from scheduler_app.models import AuditEntry, Job, JobRun, RunState, SchedulePeriod, Surface
from scheduler_app.policies import CatchUp
from tests.engine.conftest import T0, SetClock, declare, node, registry, set_clock, start
from tests.explain.conftest import finish

__all__ = ["declare", "node", "registry", "set_clock", "start"]

pytestmark = pytest.mark.django_db(transaction=True)
ADA = Actor("ada", Surface.CLI)
MINUTE = timedelta(minutes=1)
Start = Callable[..., Claimer]
Declare = Callable[..., None]


@pytest.fixture
def claimer(declare: Declare, start: Start, set_clock: SetClock) -> Claimer:
    """For job a, of every minute; it is T0, and the run of T0 has ended."""
    declare("a")
    claimer = start()
    set_clock(T0)
    finish(claimer.claim(T0), late=0, took=0)
    return claimer


def scheduled() -> list[datetime]:
    """The later runs."""
    later = JobRun.objects.filter(scheduled_for__gt=T0).order_by("pk")
    return list(later.values_list("scheduled_for", flat=True))


def job() -> Job:
    return Job.objects.get()


def test_pause_says_by_whom_why_and_until_when(claimer: Claimer) -> None:
    until = T0 + 10 * MINUTE
    assert control.pause("a", by=ADA, reason="deploy", until=until)
    assert (job().paused_by, job().pause_reason, job().paused_until) == ("ada", "deploy", until)
    assert AuditEntry.objects.get().reason == "until 2026-03-02 12:10:00 UTC deploy"
    assert "until 2026-03-02 12:10:00 UTC by ada" in SchedulePeriod.objects.open().get().reason


def test_pause_is_extended(claimer: Claimer) -> None:
    control.pause("a", by=ADA)
    paused_at = job().paused_at
    assert not control.pause("a", by=ADA)
    until = T0 + 10 * MINUTE
    assert control.pause("a", by=ADA, until=until)
    assert not control.pause("a", by=ADA, until=until)
    assert (job().paused_at, job().paused_until) == (paused_at, until)


def test_end_that_has_passed_is_refused(claimer: Claimer) -> None:
    with pytest.raises(RequestError, match="it has passed"):
        control.pause("a", by=ADA, until=T0)
    assert not job().is_paused
    assert not AuditEntry.objects.exists()


def test_pause_ends_by_itself(claimer: Claimer, set_clock: SetClock) -> None:
    until = T0 + 3 * MINUTE
    control.pause("a", by=ADA, until=until)
    assert leases.next_end() == until
    for minutes in (1, 2):
        leases.end_pauses(T0 + minutes * MINUTE)
        assert claimer.claim(T0 + minutes * MINUTE) == []
    now = T0 + 4 * MINUTE + timedelta(seconds=1)
    set_clock(now)
    leases.end_pauses(now)
    assert leases.next_end() is None
    assert (job().is_paused, job().paused_by, job().paused_until) == (False, "", None)
    assert claimer.claim(now)
    assert scheduled() == [T0 + 4 * MINUTE]
    period = SchedulePeriod.objects.open().get()
    assert (period.state, period.begins_at) == ("active", until)
    assert period.reason == "Resumed: the pause by ada was until this moment."
    assert not list(audit_ledger(until=now))


def test_what_was_due_since_the_end_of_the_pause_is_not_hidden(
    claimer: Claimer, set_clock: SetClock
) -> None:
    control.pause("a", by=ADA, until=T0 + 2 * MINUTE)
    now = T0 + 60 * MINUTE
    set_clock(now)
    leases.end_pauses(now)
    claimer.claim(now)
    missed = JobRun.objects.get(state=RunState.MISSED)
    assert missed.first_scheduled_for == T0 + 3 * MINUTE
    assert not list(audit_ledger(until=now))


def test_resume_ends_the_lease(claimer: Claimer) -> None:
    control.pause("a", by=ADA, until=T0 + 3 * MINUTE)
    control.resume("a", by=ADA)
    assert job().paused_until is None
    leases.end_pauses(T0 + 9 * MINUTE)
    assert SchedulePeriod.objects.open().get().reason == "Resumed by ada (command line)."


@pytest.mark.parametrize(
    ("catch_up", "minutes"),
    [(CatchUp.SKIP, []), (CatchUp.ONCE, [3]), (CatchUp.ALL, [1, 2, 3])],
)
def test_pause_is_caught_up_with(
    claimer: Claimer, set_clock: SetClock, catch_up: CatchUp, minutes: list[int]
) -> None:
    control.pause("a", by=ADA)
    set_clock(T0 + 3.5 * MINUTE)
    wanted = [T0 + minute * MINUTE for minute in minutes]
    plan = control.plan_resume("a", catch_up)
    assert plan.is_paused
    assert (list(plan.caught_up), plan.next_run) == (wanted, T0 + 4 * MINUTE)
    assert scheduled() == []
    assert control.resume("a", by=ADA, catch_up=catch_up)
    assert scheduled() == wanted
    assert set(JobRun.objects.values_list("requested_by", flat=True)) <= {"", "ada"}
    assert not list(audit_ledger(until=T0 + 3.5 * MINUTE))


def test_resume_of_a_job_that_is_not_paused_catches_up_with_nothing(claimer: Claimer) -> None:
    assert not control.resume("a", by=ADA, catch_up=CatchUp.ALL)
    assert scheduled() == []
    assert not control.plan_resume("a", CatchUp.ALL).is_paused


def test_period_is_run_but_for_what_succeeded(claimer: Claimer, set_clock: SetClock) -> None:
    for minutes, state in ((1, RunState.SUCCESS), (2, RunState.FAILED)):
        set_clock(T0 + minutes * MINUTE)
        finish(claimer.claim(T0 + minutes * MINUTE), state)
    now = T0 + 4.5 * MINUTE
    set_clock(now)
    since, until = T0 + MINUTE, T0 + 5 * MINUTE
    wanted = [T0 + minutes * MINUTE for minutes in (2, 3, 4)]
    assert control.plan_backfill("a", since, until) == wanted
    runs = control.backfill("a", since, until, by=ADA, reason="mended")
    assert [run.scheduled_for for run in runs] == wanted
    assert control.plan_backfill("a", since, until) == []
    assert control.plan_backfill("a", since, until, include_succeeded=True)[0] == since
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.job_name, entry.changed) == ("backfill", "a", True)
    assert entry.reason.endswith("3 runs. mended")


def test_period_that_cannot_be_run_is_refused(claimer: Claimer, set_clock: SetClock) -> None:
    with pytest.raises(JobNotFound):
        control.backfill("nope", T0 - MINUTE, T0, by=ADA)
    with pytest.raises(RequestError, match="ends before it begins"):
        control.backfill("a", T0, T0, by=ADA)
    with pytest.raises(RequestError, match="more than 1,000"):
        control.backfill("a", T0 - timedelta(days=9), T0, by=ADA)
    Job.objects.update(orphaned_at=T0)
    with pytest.raises(ActionRefused):
        control.backfill("a", T0 - MINUTE, T0, by=ADA)
    assert JobRun.objects.count() == 1


def test_long_pause_is_caught_up_with_from_its_end(claimer: Claimer, set_clock: SetClock) -> None:
    """A thousand occurrences at most, the latest, however long the pause was."""
    control.pause("a", by=ADA)
    now = T0 + timedelta(days=400)
    set_clock(now)
    caught_up = control.plan_resume("a", CatchUp.ALL).caught_up
    assert (len(caught_up), caught_up[0], caught_up[-1]) == (1_000, now - 999 * MINUTE, now)
    assert control.plan_resume("a", CatchUp.ONCE).caught_up == (now,)


def test_period_that_is_too_long_to_look_at_is_refused(
    claimer: Claimer, set_clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if nothing of it is left to run: what was not looked at is not claimed to be done."""
    monkeypatch.setattr("scheduler_app.control.periods.MOST_LOOKED_AT", 1)
    set_clock(T0 + 4 * MINUTE)
    runs = control.backfill("a", T0 + MINUTE, T0 + 2 * MINUTE, by=ADA)
    assert len(runs) == 1
    with pytest.raises(RequestError, match="more than 1 occurrences"):
        control.plan_backfill("a", T0, T0 + 4 * MINUTE)
