"""When an expression fires next."""

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st

from scheduler_app.cron.fires import next_fire
from scheduler_app.exceptions import CronError
from tests.cron.samples import (
    chain,
    expressions,
    five_fields,
    moments,
    quick,
    seconds,
    utc,
    zones,
)

NOON = utc("2026-03-02T12:00")  # a Monday


def test_fire_is_strictly_later() -> None:
    assert next_fire("0 12 * * *", NOON, "UTC") == NOON + timedelta(days=1)


def test_fire_is_found_from_a_microsecond_before_it() -> None:
    assert next_fire("0 12 * * *", NOON - timedelta(microseconds=1), "UTC") == NOON


def test_fire_is_found_from_a_microsecond_after_the_last_one() -> None:
    assert next_fire("* * * * * *", NOON + timedelta(microseconds=1), "UTC") == NOON + timedelta(
        seconds=1
    )


def test_hours_are_those_of_the_zone() -> None:
    assert next_fire("0 1 * * *", NOON, "Asia/Kathmandu") == utc("2026-03-02T19:15")


def test_fire_is_in_utc_whatever_zone_is_asked_in() -> None:
    fire = next_fire("0 1 * * *", NOON.astimezone(ZoneInfo("Europe/Berlin")), "Asia/Tokyo")
    assert fire is not None
    assert fire.tzinfo is UTC


@pytest.mark.parametrize("sunday", ["0", "7", "SUN", "sun"])
def test_sunday_is_0_and_7(sunday: str) -> None:
    assert next_fire(f"0 0 * * {sunday}", NOON, "UTC") == utc("2026-03-08")


def test_monday_is_1() -> None:
    assert next_fire("0 0 * * 1", NOON, "UTC") == utc("2026-03-09")


def test_day_of_month_or_day_of_week() -> None:
    days = [fire.day for fire in chain("0 0 13 * 5", utc("2026-01-01"), "UTC", 6)]
    assert days == [2, 9, 13, 16, 23, 30]


def test_day_of_month_and_day_of_week_if_one_starts_with_a_star() -> None:
    days = [fire.day for fire in chain("0 0 */2 * 5", utc("2026-01-01"), "UTC", 3)]
    assert days == [9, 23, 13]


def test_first_monday_of_the_month() -> None:
    assert next_fire("0 0 * * mon#1", NOON, "UTC") == utc("2026-04-06")


def test_leap_day() -> None:
    assert next_fire("0 0 29 2 *", NOON, "UTC") == utc("2028-02-29")


def test_fire_decades_ahead_is_found() -> None:
    assert next_fire("0 0 29 2 */7", utc("2088-03-01"), "UTC") == utc("2128-02-29")


def test_aliases_fire() -> None:
    assert next_fire("@monthly", NOON, "UTC") == utc("2026-04-01")


@pytest.mark.parametrize(
    "zone", ["Mars/Olympus", "", "CEST+1", "europe/berlin", "/etc/hosts", "America"]
)
def test_unknown_zone_is_named(zone: str) -> None:
    with pytest.raises(CronError, match=f"Unknown time zone '{zone}'".replace("+", r"\+")):
        next_fire("@daily", NOON, zone)


def test_bad_expression_is_refused() -> None:
    with pytest.raises(CronError, match="Bad minute field '61'"):
        next_fire("61 * * * *", NOON, "UTC")


def test_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="has no time zone"):
        next_fire("@daily", datetime(2026, 3, 2), "UTC")


@quick
@given(expressions, moments("UTC"))
def test_in_utc_fires_are_those_of_cronsim(expression: str, after: datetime) -> None:
    assert chain(expression, after, "UTC", 9) == list(islice(CronSim(expression, after), 9))


@quick
@given(expressions, zones, st.data())
def test_no_moment_is_repeated_or_out_of_order(
    expression: str, zone: str, data: st.DataObject
) -> None:
    after = data.draw(moments(zone))
    fires = [after, *chain(expression, after, zone, 40)]
    assert all(one < other for one, other in pairwise(fires))


@quick
@given(expressions, zones, st.data())
def test_fires_do_not_depend_on_where_the_search_starts(
    expression: str, zone: str, data: st.DataObject
) -> None:
    early, late = sorted([data.draw(moments(zone)), data.draw(moments(zone))])
    fire = next_fire(expression, late, zone)
    if fire and fire > early:
        assert next_fire(expression, fire - timedelta(microseconds=1), zone) == fire
    last = next_fire(expression, early, zone)
    for _ in range(50):
        if not last or last > late:
            assert last == fire or (last and not fire)
            return
        last = next_fire(expression, last, zone)


@quick
@given(five_fields, st.integers(0, 59), zones, st.data())
def test_one_second_shifts_the_twin(twin: str, second: int, zone: str, data: st.DataObject) -> None:
    after = data.draw(moments(zone))
    shift = timedelta(seconds=second)
    fire = next_fire(twin, after - shift, zone)
    assert next_fire(f"{second} {twin}", after, zone) == (fire and fire + shift)


@quick
@given(five_fields, seconds, zones, st.data())
def test_several_seconds_are_the_union_of_each(
    twin: str, several: str, zone: str, data: st.DataObject
) -> None:
    after = data.draw(moments(zone))
    singles = CronSim(f"{several} * * * * *", datetime(2000, 1, 1)).seconds
    fires = [next_fire(f"{single} {twin}", after, zone) for single in singles]
    assert next_fire(f"{several} {twin}", after, zone) == min(filter(None, fires), default=None)
