"""What is decided about occurrences that are due."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler_app.cron import Fire, Fires
from scheduler_app.engine import plan as module
from scheduler_app.engine.plan import Circumstances, Plan, plan
from scheduler_app.policies import CatchUp, Overlap, Policies
from tests.fires import fires_of

MINUTELY = fires_of("* * * * *", "UTC")
SECONDLY = fires_of("* * * * * *", "UTC")
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def decide(
    schedule: Fires = MINUTELY,
    late: float = 0.0,
    overlap: Overlap = Overlap.SKIP,
    busy: bool = False,
    back_after: float | None = None,
    waiting: bool = False,
    **policies: Any,
) -> Plan:
    """`late` and `back_after`: in seconds from noon."""
    circumstances = Circumstances(
        now=NOON + timedelta(seconds=late),
        grace=timedelta(seconds=60),
        policies=Policies(overlap=overlap, **policies),
        is_busy=busy,
        has_waiting=waiting,
        back_at=None if back_after is None else NOON + timedelta(seconds=back_after),
    )
    return plan(schedule, NOON, circumstances)


def moments(fires: list[Fire]) -> list[float]:
    """Seconds since noon."""
    return [(fire.scheduled_for - NOON).total_seconds() for fire in fires]


def test_occurrence_on_time_runs() -> None:
    planned = decide()
    assert [fire.scheduled_for for fire in planned.runs] == [NOON]
    assert planned.next_due == NOON + timedelta(minutes=1)


def test_occurrence_at_the_end_of_its_grace_still_runs() -> None:
    daily = fires_of("0 12 * * *", "UTC")
    assert len(decide(daily, late=60).runs) == 1


def test_occurrence_past_its_grace_is_missed() -> None:
    daily = fires_of("0 12 * * *", "UTC")
    planned = decide(daily, late=60.001)
    assert not planned.runs
    assert [fire.scheduled_for for fire in planned.missed] == [NOON]
    assert planned.next_due == NOON + timedelta(days=1)


def test_busy_job_is_skipped() -> None:
    planned = decide(busy=True)
    assert len(planned.skipped) == 1
    assert not planned.runs


def test_busy_job_that_may_overlap_runs() -> None:
    assert len(decide(busy=True, overlap=Overlap.ALLOW).runs) == 1


def test_after_a_stop_only_the_latest_runs() -> None:
    planned = decide(SECONDLY, late=20, overlap=Overlap.ALLOW, back_after=20)
    assert moments(planned.runs) == [20]
    assert len(planned.missed) == 20


def test_of_what_was_due_before_and_after_the_end_of_a_stop_the_latter_runs() -> None:
    planned = decide(SECONDLY, late=20, overlap=Overlap.ALLOW, back_after=17)
    assert moments(planned.runs) == [18, 19, 20]
    assert moments(planned.missed) == list(range(18))


def test_after_a_stall_all_within_their_grace_run_if_they_may_overlap() -> None:
    planned = decide(SECONDLY, late=70, overlap=Overlap.ALLOW)
    assert len(planned.runs) == 61
    assert len(planned.missed) == 10


def test_after_a_stall_the_latest_runs_if_they_may_not_overlap() -> None:
    planned = decide(SECONDLY, late=3)
    assert len(planned.runs) == 1
    assert len(planned.missed) == 3


def test_long_downtime_is_dealt_with_in_slices() -> None:
    planned = decide(SECONDLY, late=module.BATCH + 100)
    assert len(planned.missed) == module.BATCH
    assert planned.next_due == NOON + timedelta(seconds=module.BATCH)


@given(
    late=st.integers(0, 300),
    overlap=st.sampled_from(Overlap),
    busy=st.booleans(),
    back_after=st.none() | st.integers(0, 300),
    waiting=st.booleans(),
    catch_up=st.sampled_from(CatchUp),
    limit=st.integers(1, 20),
    step=st.integers(1, 59),
)
def test_every_due_occurrence_is_planned_exactly_once(
    late: int,
    overlap: Overlap,
    busy: bool,
    back_after: int | None,
    waiting: bool,
    catch_up: CatchUp,
    limit: int,
    step: int,
) -> None:
    schedule = fires_of(f"*/{step} * * * * *", "UTC")
    policies = {"catch_up": catch_up, "catch_up_limit": limit}
    planned = decide(schedule, late, overlap, busy, back_after, busy and waiting, **policies)
    now = NOON + timedelta(seconds=late)
    fires = [*planned.missed, *planned.skipped, *planned.runs, *planned.waits]
    assert fires == list(schedule.due(NOON, now))
    assert planned.next_due is not None
    assert planned.next_due > now


def test_catch_up_once_runs_the_latest_however_late() -> None:
    planned = decide(late=600.5, back_after=600.5, catch_up=CatchUp.ONCE)
    assert moments(planned.runs) == [600]
    assert moments(planned.missed) == [0, 60, 120, 180, 240, 300, 360, 420, 480, 540]


def test_catch_up_once_of_a_daily_job_a_night_later() -> None:
    daily = fires_of("0 12 * * *", "UTC")
    assert moments(decide(daily, late=3600 * 20, catch_up=CatchUp.ONCE).runs) == [0]


def test_catch_up_all_lets_each_wait_for_the_one_before() -> None:
    planned = decide(late=180, back_after=180, catch_up=CatchUp.ALL)
    assert moments(planned.waits) == [0, 60, 120, 180]
    assert not planned.missed


def test_catch_up_all_of_a_job_that_may_overlap_runs_them_together() -> None:
    planned = decide(late=180, overlap=Overlap.ALLOW, catch_up=CatchUp.ALL)
    assert moments(planned.runs) == [0, 60, 120, 180]


def test_catch_up_all_runs_the_latest_up_to_its_limit() -> None:
    planned = decide(late=600, catch_up=CatchUp.ALL, catch_up_limit=2)
    assert moments(planned.waits) == [540, 600]
    assert len(planned.missed) == 9


@pytest.mark.parametrize("catch_up", CatchUp)
def test_more_than_one_plan_deals_with_loses_nothing(
    catch_up: CatchUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slice by slice as in one go."""
    whole = decide(late=1200, catch_up=catch_up, catch_up_limit=5)
    monkeypatch.setattr(module, "BATCH", 8)
    missed: list[Fire] = []
    due_at: datetime | None = NOON
    """`late` and `back_after`: in seconds from noon."""
    circumstances = Circumstances(
        now=NOON + timedelta(seconds=1200),
        grace=timedelta(seconds=60),
        policies=Policies(catch_up=catch_up, catch_up_limit=5),
    )
    while due_at and due_at <= circumstances.now:
        planned = plan(MINUTELY, due_at, circumstances)
        missed += planned.missed
        due_at = planned.next_due
    assert missed == whole.missed
    assert (planned.runs, planned.waits) == (whole.runs, whole.waits)


def test_more_than_one_plan_deals_with_runs_what_is_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "BATCH", 8)
    planned = decide(SECONDLY, late=62, overlap=Overlap.ALLOW)
    assert moments(planned.missed) == [0, 1]
    assert moments(planned.runs) == [2, 3, 4, 5, 6, 7]
    assert planned.next_due == NOON + timedelta(seconds=8)


def test_queue_lets_one_wait() -> None:
    planned = decide(busy=True, overlap=Overlap.QUEUE)
    assert moments(planned.waits) == [0]


def test_queue_skips_when_one_waits_already() -> None:
    planned = decide(busy=True, waiting=True, overlap=Overlap.QUEUE)
    assert moments(planned.skipped) == [0]


def test_queue_of_an_idle_job_runs() -> None:
    assert moments(decide(overlap=Overlap.QUEUE).runs) == [0]


def test_cancel_previous_waits_for_the_cancelled_to_end() -> None:
    planned = decide(busy=True, waiting=True, overlap=Overlap.CANCEL_PREVIOUS)
    assert moments(planned.waits) == [0]
    assert planned.cancels_previous


def test_cancel_previous_of_an_idle_job_cancels_nothing() -> None:
    assert not decide(overlap=Overlap.CANCEL_PREVIOUS).cancels_previous
