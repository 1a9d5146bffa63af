"""What is planned."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from scheduler_app.cron import Schedule
from scheduler_app.models import Job
from scheduler_app.status import upcoming as upcomings
from scheduler_app.status.upcoming import Line, PlannedJob, paused_jobs, planned_jobs, upcoming
from tests.fires import computed

NOW = datetime(2026, 3, 2, 10, 0, 30, tzinfo=UTC)
HOURS = timedelta(hours=1)


def planned(name: str, cron: str, zone: str = "UTC", **fields: object) -> PlannedJob:
    schedule = Schedule(cron, zone, 0, name)
    fire = computed(schedule).next(NOW)
    next_run = None if "paused_at" in fields else fire and fire.due_at
    return PlannedJob(name, schedule, next_run, **fields)  # type: ignore[arg-type]


def lines(*jobs: PlannedJob, **busy_until: datetime) -> list[Line]:
    durations = {"long": timedelta(hours=1)}
    return upcoming(jobs, NOW, NOW + 2 * HOURS, durations, busy_until)


def test_occurrences_in_order_of_time() -> None:
    found = lines(planned("b", "0 11 * * *"), planned("a", "30 10 * * *"))
    assert [(line.job.name, line.at.hour, line.at.minute) for line in found] == [
        ("a", 10, 30),
        ("b", 11, 0),
    ]


def test_what_is_due_later_than_asked_is_left_out() -> None:
    assert lines(planned("a", "0 13 * * *")) == []


def test_frequent_job_is_one_line_with_its_number() -> None:
    [line] = lines(planned("a", "* * * * *"))
    assert (line.at.minute, line.count, line.is_counted) == (1, 120, True)
    assert line.schedule == "Every minute"


def test_job_of_every_second_is_not_counted_to_the_end() -> None:
    [line] = lines(planned("a", "* * * * * *"))
    assert not line.is_counted


def test_budget_leaves_each_job_its_first_occurrence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upcomings, "BUDGET", 150)
    zones = ("UTC", "Europe/Berlin", "Asia/Tokyo", "America/Lima")
    found = lines(*(planned(f"job-{zone}", "* * * * *", zone) for zone in zones))
    assert {line.job.name for line in found} == {f"job-{zone}" for zone in zones}
    assert sorted(line.is_counted for line in found) == [False, False, False, True]


def test_jobs_that_share_a_schedule_share_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upcomings, "BUDGET", 150)
    found = lines(*(planned(f"job-{number}", "* * * * *") for number in range(5)))
    assert [(line.count, line.together) for line in found] == [(120, 4)] * 5


def test_overdue_job_comes_first() -> None:
    late = PlannedJob("a", Schedule("0 * * * *"), NOW - HOURS)
    assert lines(planned("b", "1 10 * * *"), late)[0].at == NOW - HOURS


def test_jobs_of_the_same_second_know_of_one_another() -> None:
    found = lines(*(planned(name, "0 11 * * *") for name in "abc"), planned("d", "1 11 * * *"))
    assert [line.together for line in found] == [2, 2, 2, 0]


def test_frequent_job_collides_with_a_rare_one() -> None:
    found = {line.job.name: line for line in lines(*_pair("* * * * *", "0 11 * * *"))}
    assert found["b"].together == 1


def _pair(one: str, other: str) -> tuple[PlannedJob, PlannedJob]:
    return planned("a", one), planned("b", other)


def test_paused_job_is_told_and_collides_with_none() -> None:
    found = lines(planned("a", "0 11 * * *", paused_at=NOW), planned("b", "0 11 * * *"))
    assert [(line.job.name, line.is_paused, line.together) for line in found] == [
        ("a", True, 1),
        ("b", False, 0),
    ]


def test_occurrences_after_the_end_of_a_pause_are_not_paused() -> None:
    job = planned("a", "*/30 * * * *", paused_at=NOW, paused_until=NOW + HOURS)
    assert [(line.at.hour, line.at.minute, line.is_paused) for line in lines(job)] == [
        (10, 30, True),
        (11, 0, True),
        (11, 30, False),
        (12, 0, False),
    ]


def test_job_whose_run_will_not_have_ended_may_overlap() -> None:
    [line] = lines(planned("a", "0 11 * * *"), a=NOW + 3 * HOURS)
    assert line.overruns
    [line] = lines(planned("a", "0 11 * * *"), a=NOW + HOURS / 2)
    assert not line.overruns


def test_job_that_takes_longer_than_its_interval_may_overlap() -> None:
    [line] = lines(planned("long", "*/10 * * * *"))
    assert line.overruns
    assert line.duration == timedelta(hours=1)


def test_schedule_that_cannot_be_computed_hurts_no_other() -> None:
    broken = PlannedJob("broken", Schedule("61 * * * *", "US/Atlantis"), NOW)
    assert [line.job.name for line in lines(broken, planned("a", "0 11 * * *"))] == ["a"]


def test_repeated_hour_fires_at_both_passes() -> None:
    autumn = datetime(2026, 10, 25, 0, 0, tzinfo=UTC)
    job = PlannedJob("a", Schedule("*/30 * * * *", "Europe/Berlin"), autumn)
    [line] = upcoming([job], autumn, autumn + 2 * HOURS, {}, {})
    assert line.count == 5


@pytest.mark.django_db
def test_planned_jobs_are_the_soonest(make_job: Callable[..., Job]) -> None:
    make_job("minutely")
    make_job("yearly", "0 0 1 1 *")
    make_job("paused", paused_at=NOW)
    make_job("orphaned", orphaned_at=NOW)
    found = planned_jobs()
    assert [job.name for job in found.jobs] == ["minutely", "yearly"]
    assert found.known_to is None
    found = planned_jobs(most=1)
    assert [job.name for job in found.jobs] == ["minutely"]
    assert found.known_to is not None


@pytest.mark.django_db
def test_pauses_with_who_why_and_until(make_job: Callable[..., Job]) -> None:
    pause = {"paused_by": "ada", "pause_reason": "maintenance", "paused_until": NOW + HOURS}
    make_job("a", paused_at=NOW - HOURS, **pause)
    make_job("b", paused_at=NOW)
    make_job("running")
    last, first = paused_jobs()
    assert (last.name, first.name) == ("b", "a")
    assert (first.paused_by, first.pause_reason, first.paused_until) == (
        "ada",
        "maintenance",
        NOW + HOURS,
    )
