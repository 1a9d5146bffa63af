"""The lanes of the time-line."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from scheduler_app.cron import Schedule
from scheduler_app.models import JobRun, RunState
from scheduler_app.status.timeline import MOST_STEPS, bars, planned_bars
from scheduler_app.status.upcoming import PlannedJob

Add = Callable[..., JobRun]
END = datetime(2026, 3, 2, 10, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


@pytest.mark.django_db
def test_bar_has_the_length_of_its_run(add_ended: Add) -> None:
    run = add_ended("a", END - 9 * HOUR, late=5, took=3600)
    [bar] = bars(["a"], END - DAY, END)["a"]
    assert (bar.begin, bar.end, bar.count, bar.run_id) == (
        run.started_at,
        run.finished_at,
        1,
        run.pk,
    )


@pytest.mark.django_db
def test_run_that_began_before_is_cut(add_ended: Add) -> None:
    add_ended("a", END - DAY - HOUR, took=7200)
    [bar] = bars(["a"], END - DAY, END)["a"]
    assert bar.begin == END - DAY


@pytest.mark.django_db
def test_other_jobs_and_older_runs_have_no_bars(add_ended: Add) -> None:
    add_ended("a", END - 2 * DAY)
    add_ended("b", END - HOUR)
    assert bars(["a"], END - DAY, END) == {}
    assert bars([], END - DAY, END) == {}


@pytest.mark.django_db
def test_successes_near_one_another_are_one_bar_and_failures_stay(add_ended: Add) -> None:
    for minute in range(60):
        state = RunState.FAILED if minute == 30 else RunState.SUCCESS
        add_ended("a", END - HOUR + timedelta(minutes=minute), state)
    found = bars(["a"], END - DAY, END)["a"]
    assert [(bar.state, bar.count) for bar in found] == [
        (RunState.SUCCESS, 59),
        (RunState.FAILED, 1),
    ]


@pytest.mark.django_db
def test_hourly_runs_stay_apart(add_ended: Add) -> None:
    for hour in range(1, 13):
        add_ended("a", END - hour * HOUR)
    assert len(bars(["a"], END - DAY, END)["a"]) == 12


@pytest.mark.django_db
def test_missed_occurrence_has_a_bar(add_ended: Add) -> None:
    add_ended("a", END - HOUR, RunState.MISSED)
    [bar] = bars(["a"], END - DAY, END)["a"]
    assert (bar.state, bar.begin) == (RunState.MISSED, bar.end)


@pytest.mark.django_db
def test_bars_take_one_query(add_ended: Add) -> None:
    for number in range(20):
        add_ended(f"job-{number}", END - HOUR)
    with CaptureQueriesContext(connection) as captured:
        bars([f"job-{number}" for number in range(20)], END - DAY, END)
    assert len(captured) == 1


def test_planned_fires_are_single() -> None:
    job = PlannedJob("a", Schedule("0 * * * *"), END + HOUR)
    found = planned_bars(job, END, END + DAY / 2)
    assert [bar.begin for bar in found] == [END + hour * HOUR for hour in range(1, 13)]
    assert all(bar.begin == bar.end for bar in found)


def test_frequent_fires_are_one_band() -> None:
    for cron in ("* * * * *", "*/5 * * * *", "* * * * * *", "*/7 * * * *"):
        job = PlannedJob("a", Schedule(cron), END + timedelta(minutes=1))
        [bar] = planned_bars(job, END, END + DAY / 2)
        assert bar.end - bar.begin > DAY / 2 - 2 * (DAY / 2 / MOST_STEPS), cron


def test_frequent_fires_of_some_hours_are_a_band_each() -> None:
    job = PlannedJob("a", Schedule("* 11,14 * * *"), END + HOUR)
    found = planned_bars(job, END, END + DAY / 2)
    assert [bar.begin for bar in found] == [END + HOUR, END + 4 * HOUR]


def test_fires_of_a_pause_are_marked_until_its_end() -> None:
    schedule = Schedule("0 * * * *")
    job = PlannedJob("a", schedule, None, paused_at=END, paused_until=END + 3 * HOUR)
    found = planned_bars(job, END, END + 5 * HOUR)
    assert [bar.is_paused for bar in found] == [True, True, True, False, False]


def test_schedule_that_ends_has_no_fires_after_it() -> None:
    job = PlannedJob("a", Schedule("at=2026-03-02T11:00"), END + HOUR)
    assert len(planned_bars(job, END, END + DAY)) <= 1


def test_schedule_that_cannot_be_computed_has_no_fires() -> None:
    assert planned_bars(PlannedJob("a", Schedule("61 * * * *"), END), END, END + DAY) == ()
