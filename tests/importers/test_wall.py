"""When others fire while clocks change: as croniter does, and as was read from Celery."""

from datetime import UTC, datetime, timedelta
from itertools import count, takewhile
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter
from hypothesis import given
from hypothesis import strategies as st

from scheduler_app.importers.django_q import gap_of
from scheduler_app.importers.wall import Gap, fires
from tests.cron.samples import quick, utc

CHANGES = ["2026-03-29T01:00", "2026-10-25T01:00"]
"""Of Berlin's clocks."""


@quick
@given(
    st.sampled_from(["0", "30", "*/20", "15,45"]),
    st.sampled_from(["*", "1", "2", "3", "*/2", "1-3"]),
    st.sampled_from(CHANGES),
    st.timedeltas(timedelta(hours=-30), timedelta(hours=3)),
)
def test_django_q_fires_as_croniter_does(
    minute: str, hour: str, change: str, before: timedelta
) -> None:
    text, after = f"{minute} {hour} * * *", (utc(change) + before).replace(microsecond=0)
    until = utc(change) + timedelta(days=2)
    theirs = croniter(text, after.astimezone(ZoneInfo("Europe/Berlin")))
    moments = (theirs.get_next(datetime).astimezone(UTC) for _ in count())
    expected = list(takewhile(lambda at: at <= until, moments))
    ours = fires(text, "Europe/Berlin", after, gap=gap_of(text), twice=True)
    assert list(takewhile(lambda at: at <= until, ours)) == expected


@pytest.mark.parametrize(
    ("text", "after", "expected"),
    [
        ("30 2 * * *", "2026-03-28T12:00", ["29T01:30", "30T00:30"]),
        ("0 * * * *", "2026-03-28T23:30", ["29T00:00", "29T01:00", "29T02:00"]),
        ("*/30 * * * *", "2026-10-24T23:10", ["24T23:30", "25T00:00", "25T00:30", "25T02:00"]),
        ("0 2 * * *", "2026-10-24T12:00", ["25T00:00", "26T01:00"]),
    ],
)
def test_celery_fires(text: str, after: str, expected: list[str]) -> None:
    found = fires(text, "Europe/Berlin", utc(after), gap=Gap.SHIFTED, twice=False)
    assert [f"{at:%dT%H:%M}" for at, _ in zip(found, expected, strict=False)] == expected
