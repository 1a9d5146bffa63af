"""What went wrong since a moment."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from scheduler_app.models import JobRun, RunState
from scheduler_app.status import night as nights
from scheduler_app.status.night import JobTrouble, night

pytestmark = pytest.mark.django_db
Add = Callable[..., JobRun]
EVENING = datetime(2026, 3, 1, 18, tzinfo=UTC)
HOUR = timedelta(hours=1)


def only(since: datetime = EVENING) -> JobTrouble:
    [job] = night(since).jobs
    return job


def test_counts_by_result_of_each_job(add_ended: Add) -> None:
    states = [RunState.FAILED] * 3 + [RunState.LOST] * 2 + [RunState.MISSED, RunState.SUCCESS]
    for number, state in enumerate(states, 1):
        add_ended("nightly", EVENING + number * HOUR, state)
    job = only()
    assert (job.failed, job.lost, job.missed, job.late, job.recovered) == (3, 2, 1, 0, 0)


def test_what_ended_before_the_moment_is_not_counted(add_ended: Add) -> None:
    add_ended("nightly", EVENING - HOUR, RunState.FAILED)
    assert night(EVENING).groups == ()


def test_skips_and_cancelled_runs_are_no_trouble(add_ended: Add) -> None:
    add_ended("nightly", EVENING + HOUR, RunState.SKIPPED)
    add_ended("nightly", EVENING + 2 * HOUR, RunState.CANCELLED)
    assert night(EVENING).groups == ()


@pytest.mark.parametrize(("late", "counted"), [(59.9, 0), (60, 1), (61.5, 1), (7200, 1)])
def test_late_is_a_minute_or_more(add_ended: Add, late: float, counted: int) -> None:
    add_ended("nightly", EVENING + timedelta(seconds=59.5), RunState.FAILED, late=late)
    assert only().late == counted


def test_late_across_a_minute_of_the_clock_is_not_late_yet(add_ended: Add) -> None:
    add_ended("nightly", EVENING + timedelta(seconds=59), late=2)
    assert night(EVENING).groups == ()


def test_job_that_has_only_been_late_says_so(add_ended: Add) -> None:
    add_ended("nightly", EVENING + HOUR, late=90)
    job = only()
    assert (job.late, job.is_late_only, job.message) == (1, True, "")


def test_job_that_failed_for_hours_and_succeeded_is_over(add_ended: Add) -> None:
    for number in range(12):
        add_ended("quarterly", EVENING + number * HOUR / 4, RunState.FAILED, message="boom")
    assert not only().is_over
    good = add_ended("quarterly", EVENING + 4 * HOUR)
    job = only()
    assert (job.failed, job.is_over, job.last_good_id) == (12, True, good.pk)
    assert job.message == "boom"


def test_retry_that_succeeded_made_good(add_ended: Add) -> None:
    first = add_ended("nightly", EVENING + HOUR, RunState.FAILED)
    add_ended("nightly", EVENING + HOUR, attempt=2, first_attempt=first)
    job = only()
    assert (job.failed, job.recovered, job.is_over) == (1, 1, True)


def test_last_error_is_the_first_line_of_the_last_trouble(add_ended: Add) -> None:
    add_ended("nightly", EVENING + HOUR, RunState.FAILED, message="old")
    last = add_ended("nightly", EVENING + 2 * HOUR, RunState.LOST, message="\n new \nmore")
    job = only()
    assert (job.run_id, job.state, job.message) == (last.pk, RunState.LOST, "new")
    assert job.at == last.finished_at


def test_last_good_run_of_before_the_moment_is_found(add_ended: Add) -> None:
    good = add_ended("nightly", EVENING - 30 * HOUR)
    add_ended("nightly", EVENING + HOUR, RunState.FAILED)
    job = only()
    assert (job.last_good_id, job.last_good_at) == (good.pk, good.finished_at)


def test_job_without_a_good_run_has_none(add_ended: Add) -> None:
    add_ended("nightly", EVENING + HOUR, RunState.FAILED)
    assert only().last_good_at is None


def test_equal_errors_but_for_numbers_are_one_group(add_ended: Add) -> None:
    for name, message in (
        ("a", "Timeout after 30.1 s at 0x7f3e"),
        ("b", "Timeout after 29.8 s at 0x11aa"),
        ("c", "another error"),
    ):
        add_ended(name, EVENING + HOUR, RunState.FAILED, message=message)
    groups = night(EVENING).groups
    assert [[job.job_name for job in group.jobs] for group in groups] == [["a", "b"], ["c"]]


def test_equal_errors_of_what_is_over_and_what_is_not_are_apart(add_ended: Add) -> None:
    for name in ("a", "b"):
        add_ended(name, EVENING + HOUR, RunState.FAILED, message="boom")
    add_ended("a", EVENING + 2 * HOUR)
    first, second = night(EVENING).groups
    assert (first.is_over, second.is_over) == (False, True)


def test_jobs_beyond_the_first_are_counted(add_ended: Add, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nights, "MOST_JOBS", 2)
    for name in "abcde":
        add_ended(name, EVENING + HOUR, RunState.FAILED, message="boom")
    found = night(EVENING)
    assert (len(list(found.jobs)), found.untold) == (2, 3)


def test_two_queries_however_many_jobs(add_ended: Add) -> None:
    for number in range(30):
        add_ended(f"job-{number}", EVENING + HOUR, RunState.FAILED, message=f"error {number}x")
    with CaptureQueriesContext(connection) as captured:
        night(EVENING)
    assert len(captured) == 2


def test_index_of_ends_answers(add_ended: Add) -> None:
    """Not one whose rows are all gone through."""
    with CaptureQueriesContext(connection) as captured:
        night(EVENING)
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN QUERY PLAN " + captured[0]["sql"].replace("%", "%%"))
            plan = str(cursor.fetchall())
        assert "SEARCH scheduler_app_jobrun USING INDEX run_by_age" in plan
