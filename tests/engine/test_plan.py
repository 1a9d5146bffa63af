"""What is decided about occurrences that are due."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from scheduler_app.cron import Schedule
from scheduler_app.engine import plan as module
from scheduler_app.engine.plan import Circumstances, Plan, plan
from scheduler_app.policies import Overlap

MINUTELY = Schedule("* * * * *", "UTC")
SECONDLY = Schedule("* * * * * *", "UTC")
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def decide(
    schedule: Schedule = MINUTELY,
    late: float = 0.0,
    overlap: Overlap = Overlap.SKIP,
    busy: bool = False,
    after_stop: bool = False,
) -> Plan:
    circumstances = Circumstances(
        now=NOON + timedelta(seconds=late),
        grace=timedelta(seconds=60),
        overlap=overlap,
        busy=busy,
        after_stop=after_stop,
    )
    return plan(schedule, NOON, circumstances)


def test_occurrence_on_time_runs() -> None:
    planned = decide()
    assert [fire.scheduled_for for fire in planned.runs] == [NOON]
    assert planned.next_due == NOON + timedelta(minutes=1)


def test_occurrence_at_the_end_of_its_grace_still_runs() -> None:
    daily = Schedule("0 12 * * *", "UTC")
    assert len(decide(daily, late=60).runs) == 1


def test_occurrence_past_its_grace_is_missed() -> None:
    daily = Schedule("0 12 * * *", "UTC")
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
    planned = decide(SECONDLY, late=20, overlap=Overlap.ALLOW, after_stop=True)
    assert [fire.scheduled_for for fire in planned.runs] == [NOON + timedelta(seconds=20)]
    assert len(planned.missed) == 20


def test_after_a_stall_all_within_their_grace_run_if_they_may_overlap() -> None:
    planned = decide(SECONDLY, late=70, overlap=Overlap.ALLOW)
    assert len(planned.runs) == 61
    assert len(planned.missed) == 10


def test_after_a_stall_the_latest_runs_if_they_may_not_overlap() -> None:
    planned = decide(SECONDLY, late=3)
    assert len(planned.runs) == 1
    assert len(planned.missed) == 3


def test_long_downtime_is_dealt_with_in_slices() -> None:
    planned = decide(SECONDLY, late=module.SLICE + 100)
    assert len(planned.missed) == module.SLICE
    assert planned.next_due == NOON + timedelta(seconds=module.SLICE)


@given(
    late=st.integers(0, 300),
    overlap=st.sampled_from(Overlap),
    busy=st.booleans(),
    after_stop=st.booleans(),
    step=st.integers(1, 59),
)
def test_every_due_occurrence_is_planned_exactly_once(
    late: int, overlap: Overlap, busy: bool, after_stop: bool, step: int
) -> None:
    schedule = Schedule(f"*/{step} * * * * *", "UTC")
    planned = decide(schedule, late, overlap, busy, after_stop)
    now = NOON + timedelta(seconds=late)
    fires = [*planned.missed, *planned.skipped, *planned.runs]
    assert fires == list(schedule.due(NOON, now))
    assert planned.next_due is not None
    assert planned.next_due > now
