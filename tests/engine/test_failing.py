"""Jobs that are paused after so many failures in a row."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from scheduler_app import control
from scheduler_app.control import Actor
from scheduler_app.engine import failing
from scheduler_app.engine.claim import Claimer
from scheduler_app.engine.scheduler import Scheduler
from scheduler_app.models import AuditEntry, Job, JobRun, RunState, Surface
from scheduler_app.registry import Registry
from tests.engine.conftest import T0, SetClock, eventually
from tests.explain.conftest import finish

pytestmark = pytest.mark.django_db(transaction=True)
ADA = Actor("ada", Surface.CLI)
MINUTE = timedelta(minutes=1)
Declare = Callable[..., None]
S, F = RunState.SUCCESS, RunState.FAILED


@pytest.fixture
def live(
    declare: Declare, start: Callable[..., Claimer], set_clock: SetClock
) -> Callable[..., bool]:
    """Let a job of every minute end so, one run after the other; return whether it is paused."""

    def _live(*states: RunState, retries: int = 0) -> bool:
        if not Job.objects.exists():
            declare("a", pause_on_failure=3, retries=retries, retry_delay=0.001)
            _live.claimer = start()  # type: ignore[attr-defined]
            _live.now = T0  # type: ignore[attr-defined]
        for state in states:
            _live.now += MINUTE  # type: ignore[attr-defined]
            now = _live.now  # type: ignore[attr-defined]
            set_clock(now)
            finish(_live.claimer.claim(now), state, late=0, took=1)  # type: ignore[attr-defined]
            failing.pause_failing()
        return Job.objects.get().is_paused

    return _live


@pytest.mark.parametrize(
    ("states", "is_paused"),
    [
        ([F, F], False),
        ([F, F, F], True),
        ([F, F, S, F, F], False),
        ([S, F, F, F], True),
    ],
)
def test_failures_in_a_row_pause_it(
    live: Callable[..., bool], states: list[RunState], is_paused: bool
) -> None:
    assert live(*states) == is_paused


def test_pause_says_why(live: Callable[..., bool]) -> None:
    live(F, F, F)
    job = Job.objects.get()
    assert (job.paused_by, job.pause_reason) == ("the scheduler", "it failed 3 times in a row")
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.changed) == ("pause", "the scheduler", True)


def test_resume_begins_the_count_anew(live: Callable[..., bool], set_clock: SetClock) -> None:
    assert live(F, F, F)
    set_clock(T0 + 4 * MINUTE)
    control.resume("a", by=ADA)
    failing.pause_failing()
    assert not Job.objects.get().is_paused
    JobRun.objects.filter(state=RunState.QUEUED).delete()


def test_attempts_that_are_tried_again_do_not_count(live: Callable[..., bool]) -> None:
    assert not live(F, F, F, F, retries=5)


def test_job_that_does_not_want_it_is_not_paused(live: Callable[..., bool]) -> None:
    live(F)
    Job.objects.update(pause_on_failure=0)
    assert not live(F, F, F, F)


def test_scheduler_pauses_it_at_once(declare: Declare, registry: Registry) -> None:
    def fail() -> None:
        raise ValueError("no rows")

    declare("a", fail, cron="* * * * * *", pause_on_failure=2)
    scheduler = Scheduler(registry)
    scheduler.start()
    try:
        eventually(lambda: Job.objects.get().is_paused)
    finally:
        scheduler.stop()
    assert JobRun.objects.filter(state=RunState.FAILED).count() in (2, 3, 4)
