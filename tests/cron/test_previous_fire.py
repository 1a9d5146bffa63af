"""When an expression fired last."""

from datetime import UTC, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler_app.cron.fires import next_fire, previous_fire
from scheduler_app.exceptions import CronError
from tests.cron.samples import chain, clock, expressions, moments, quick, utc, zones

NOON = utc("2026-03-02T12:00")


@pytest.mark.parametrize("microseconds", [0, 1, 999_999])
def test_moment_itself_counts(microseconds: int) -> None:
    at = NOON + timedelta(microseconds=microseconds)
    assert previous_fire("0 12 * * *", at, "UTC") == NOON


def test_moment_just_before_belongs_to_the_fire_before() -> None:
    at = NOON - timedelta(microseconds=1)
    assert previous_fire("0 12 * * *", at, "UTC") == NOON - timedelta(days=1)


def test_fire_decades_ago_is_found() -> None:
    assert previous_fire("0 0 29 2 */7", utc("2128-02-28"), "UTC") == utc("2088-02-29")


def test_fire_is_in_utc() -> None:
    fire = previous_fire("@daily", NOON.astimezone(ZoneInfo("Asia/Tokyo")), "Europe/Berlin")
    assert fire == utc("2026-03-01T23:00")
    assert fire.tzinfo is UTC


def test_skipped_time_fired_right_after_the_gap() -> None:
    fire = previous_fire("15 30 2 * * *", utc("2026-03-29T06:00"), "Europe/Berlin")
    assert fire is not None
    assert clock(fire, "Europe/Berlin") == "29 03:00:15 +0200"


def test_repeated_time_fired_at_its_first_pass() -> None:
    fire = previous_fire("30 2 * * *", utc("2026-10-25T06:00"), "Europe/Berlin")
    assert fire is not None
    assert clock(fire, "Europe/Berlin") == "25 02:30:00 +0200"


def test_unknown_zone_is_refused() -> None:
    with pytest.raises(CronError, match="Mars"):
        previous_fire("@daily", NOON, "Mars/Olympus")


@quick
@given(expressions, zones, st.data())
def test_previous_and_next_agree(expression: str, zone: str, data: st.DataObject) -> None:
    at = data.draw(moments(zone))
    fire = previous_fire(expression, at, zone)
    assert fire is not None
    assert fire <= at
    assert next_fire(expression, fire - timedelta(microseconds=1), zone) == fire
    following = next_fire(expression, fire, zone)
    assert following is None or following > at


@quick
@given(expressions, zones, st.data())
def test_each_fire_leads_back_to_the_one_before(
    expression: str, zone: str, data: st.DataObject
) -> None:
    fires = chain(expression, data.draw(moments(zone)), zone, 4)
    for fire, following in pairwise(fires):
        assert previous_fire(expression, following - timedelta(seconds=1), zone) == fire
