"""Moments and lengths of time as people type them."""

from argparse import ArgumentTypeError
from datetime import UTC, datetime, timedelta

import pytest

from scheduler_app.cli import times

NOW = datetime(2026, 11, 27, 9, 0, tzinfo=UTC).astimezone()


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("08:00", NOW.replace(hour=8, minute=0)),
        ("23:30", (NOW - timedelta(days=1)).replace(hour=23, minute=30)),
        ("2h", NOW - timedelta(hours=2)),
        ("1h30m", NOW - timedelta(minutes=90)),
        ("yesterday", local("2026-11-26T00:00")),
        ("yesterday 18:00", local("2026-11-26T18:00")),
        ("today", local("2026-11-27T00:00")),
        ("2026-11-24", local("2026-11-24T00:00")),
        ("2026-11-24 18:00", local("2026-11-24T18:00")),
        ("2026-11-24T18:00+05:00", datetime(2026, 11, 24, 13, 0, tzinfo=UTC)),
        ("2026-11-24T18:00Z", datetime(2026, 11, 24, 18, 0, tzinfo=UTC)),
    ],
)
def test_moment_is_by_the_clock_of_this_machine(text: str, wanted: datetime) -> None:
    found = times.moment(text, NOW)
    assert found == wanted
    assert found.tzinfo is not None


@pytest.mark.parametrize("text", ["tomorrow 03:00", "03:00", "2026-11-28T03:00"])
def test_time_on_a_wall_has_no_offset(text: str) -> None:
    assert times.wall(text, NOW).tzinfo is None
    assert times.wall("2026-11-28T03:00Z").tzinfo is not None


@pytest.mark.parametrize(
    "text", ["", "noon", "25:00", "yesterday noon", "-2h", "2", "h", "1899-12-31", "9" * 400 + "d"]
)
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError):
        times.moment(text, NOW)


@pytest.mark.parametrize(
    ("text", "wanted"), [("90s", 90), ("1.5h", 5400), ("1d2h", 93_600), ("0s", 0)]
)
def test_span_is_a_sum(text: str, wanted: float) -> None:
    assert times.span(text) == timedelta(seconds=wanted)


@pytest.mark.parametrize("text", ["", "2", "h", "2 h", "-1h", "1w", "9" * 400 + "d"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError):
        times.span(text)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2h", NOW + timedelta(hours=2)),
        ("23:30", NOW.replace(hour=23, minute=30)),
        ("08:00", (NOW + timedelta(days=1)).replace(hour=8, minute=0)),
        ("tomorrow 06:00", local("2026-11-28T06:00")),
        ("2026-12-01", local("2026-12-01T00:00")),
    ],
)
def test_moment_to_come_is_the_next_one(text: str, wanted: datetime) -> None:
    assert times.future(text, NOW) == wanted


@pytest.mark.parametrize("text", ["yesterday", "2026-11-27T08:00", "noon", "9999999999d"])
def test_moment_that_has_passed_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError):
        times.future(text, NOW)
