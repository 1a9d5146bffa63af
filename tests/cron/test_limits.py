"""Fires of intervals and of single moments, and those that start, end and calendar leave out."""

from datetime import date, datetime, timedelta
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler_app.cron.calendar import calendar_of
from scheduler_app.cron.fires import fires, next_fire, previous_fire
from scheduler_app.cron.notation import normalise
from tests.cron.samples import chain, expressions, moments, quick, utc, zones
from tests.fires import fires_of

NOON = utc("2026-03-02T12:00")
MINUTE = timedelta(minutes=1)


def test_interval_is_steady_while_clocks_change() -> None:
    found = chain("@every 6h", utc("2026-03-28T17:00"), "Europe/Berlin", 4)
    assert found == [
        utc(f"2026-03-{at}") for at in ("28T18:00", "29T00:00", "29T06:00", "29T12:00")
    ]


def test_interval_is_counted_from_its_anchor_both_ways() -> None:
    text = "@every 7h anchor 2026-03-02T10:30:00Z"
    assert next_fire(text, NOON, "UTC") == utc("2026-03-02T17:30")
    assert next_fire(text, utc("2026-03-02T10:30"), "UTC") == utc("2026-03-02T17:30")
    assert next_fire(text, utc("2026-03-02T00:00"), "UTC") == utc("2026-03-02T03:30")
    assert previous_fire(text, utc("2026-03-02T10:30"), "UTC") == utc("2026-03-02T10:30")


def test_moment_fires_once() -> None:
    text = "@at 2026-03-02T12:00:00Z"
    assert next_fire(text, NOON - timedelta(microseconds=1), "UTC") == NOON
    assert next_fire(text, NOON, "UTC") is None
    assert previous_fire(text, NOON, "UTC") == NOON
    assert previous_fire(text, NOON - MINUTE, "UTC") is None
    assert fires_of(text).next(NOON) is None
    assert [fire.due_at for fire in fires_of(text).due(NOON, NOON + MINUTE)] == [NOON]


def test_jitter_delays_a_moment() -> None:
    fire = fires_of("@at 2026-03-02T12:00:00Z", "UTC", 600).next(NOON - MINUTE)
    assert fire is not None
    assert fire.scheduled_for == NOON
    assert NOON <= fire.due_at <= NOON + timedelta(minutes=10)


def test_start_and_end_are_included() -> None:
    text = "* * * * * start 2026-03-02T12:00:00Z end 2026-03-02T12:02:00Z"
    found = list(fires(normalise(text), utc("2026-01-01T00:00"), "UTC"))
    assert found == [NOON, NOON + MINUTE, NOON + 2 * MINUTE]
    assert previous_fire(text, utc("2027-01-01T00:00"), "UTC") == NOON + 2 * MINUTE


def test_days_of_the_calendar_are_those_of_the_zone() -> None:
    text = "@every 1h except SUN"
    after = utc("2026-03-28T21:30")  # Saturday, 22:30 in Berlin; clocks change on Sunday
    assert chain(text, after, "Europe/Berlin", 2) == [
        utc("2026-03-28T22:00"),
        utc("2026-03-29T22:00"),
    ]


@pytest.mark.parametrize("zone", ["Africa/Cairo", "America/Havana"])
def test_day_without_midnight_is_not_left_out(zone: str) -> None:
    # On the Friday in Cairo, and the Sunday in Havana, clocks go from 0:00 to 1:00.
    friday = date(2026, 4, 24) if zone == "Africa/Cairo" else date(2026, 3, 8)
    before = friday - timedelta(days=1)
    text = f"0 * * * * except {before}"
    start = datetime.combine(before, datetime.min.time(), ZoneInfo(zone))
    fire = next_fire(text, start, zone)
    assert fire is not None
    assert fire.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == datetime.combine(
        friday, datetime.min.time().replace(hour=1)
    )


def test_day_that_begins_twice_is_not_gone_through_for_ever() -> None:
    # In Cairo, clocks go from Friday 0:00 back to Thursday 23:00.
    zone = "Africa/Cairo"
    found = chain("*/30 * * * * except THU", utc("2026-10-28T20:00"), zone, 4)
    assert found == [
        utc("2026-10-28T20:30"),
        utc("2026-10-29T22:00"),
        utc("2026-10-29T22:30"),
        utc("2026-10-29T23:00"),
    ]


def test_schedule_that_fires_on_one_day_in_decades_is_found() -> None:
    text = "* * * * * * except 2000-01-01/2039-12-31,2040-01-02/2099-12-31"
    assert next_fire(text, NOON, "UTC") == utc("2040-01-01T00:00")
    assert next_fire(text, utc("2040-01-01T23:59:59"), "UTC") is None
    assert previous_fire(text, utc("2045-01-01T00:00"), "UTC") == utc("2040-01-01T23:59:59")


days = st.one_of(
    st.sampled_from(["SAT", "weekends", "MON,WED", "03-29", "10-25", "2026-03-28/2026-03-30"]),
    st.dates(date(2026, 1, 1), date(2026, 12, 31)).map(str),
)


@quick
@given(expressions, zones, st.lists(days, min_size=1, max_size=3), st.data())
def test_calendar_leaves_out_all_fires_of_its_days_and_no_other(
    expression: str, zone: str, excluded: list[str], data: st.DataObject
) -> None:
    after = data.draw(moments(zone))
    until = after + timedelta(days=4)
    calendar, tz = calendar_of(excluded), ZoneInfo(zone)
    without = takewhile(lambda at: at <= until, fires(normalise(expression), after, zone))
    expected = [at for at in without if not calendar.excludes(at.astimezone(tz).date())]
    text = normalise(f"{expression} except {','.join(excluded)}")
    found = list(
        islice(takewhile(lambda at: at <= until, fires(text, after, zone)), len(expected) + 1)
    )
    assert found == expected


@quick
@given(st.integers(1, 10_000_000), zones, st.data())
def test_last_fire_before_the_next_is_the_previous_one(
    seconds: int, zone: str, data: st.DataObject
) -> None:
    text, at = f"@every {seconds}s", data.draw(moments(zone))
    following = next_fire(text, at, zone)
    assert following is not None
    previous = previous_fire(text, at, zone)
    assert previous == following - timedelta(seconds=seconds)
    assert previous <= at < following
