"""The next occurrences of a job, and what is odd about each."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from scheduler_app.cron import Schedule
from scheduler_app.explain.upcoming import Upcoming, upcoming
from scheduler_app.models import Job, timetable_rows
from tests.fires import computed

pytestmark = pytest.mark.django_db
AFTER = datetime(2026, 3, 28, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def coming(cron: str, zone: str = "UTC", long: timedelta | None = None) -> list[Upcoming]:
    return upcoming(computed(Schedule(cron, zone)), "nightly", AFTER, 3, long)


def test_what_the_clock_does_is_noted() -> None:
    first, second, _ = coming("30 2 * * *", "Europe/Berlin")
    assert "skips 02:00 to 03:00" in first.previewed.note
    assert second.previewed.note == ""


@pytest.mark.parametrize(
    ("long", "marks"),
    [
        (None, [False, False, False]),
        (HOUR, [False, False, False]),
        (HOUR + timedelta(seconds=1), [False, True, True]),
    ],
)
def test_run_before_may_not_have_ended(long: timedelta | None, marks: list[bool]) -> None:
    assert [each.begins_during_last for each in coming("0 * * * *", long=long)] == marks


def test_other_jobs_of_the_same_moment_are_counted(make_job: Callable[..., Job]) -> None:
    for name in ("nightly", "same", "other"):
        make_job(name, "0 1 * * *")
    timetable_rows().exclude(id__endswith=":other").update(next_run_time=AFTER + HOUR)
    assert [each.others for each in coming("0 * * * *")] == [1, 0, 0]
