"""The first and the last days of the calendar have few fires and no errors."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler_app.cron.fires import next_fire, previous_fire
from tests.cron.samples import expressions, quick
from tests.fires import fires_of

MIN = datetime.min.replace(tzinfo=UTC)
MAX = datetime.max.replace(tzinfo=UTC)
EARLY_IN_TOKYO = datetime.min.replace(tzinfo=timezone(timedelta(hours=14)))  # in UTC: year 0
LATE_IN_HAWAII = datetime.max.replace(tzinfo=timezone(timedelta(hours=-12)))  # in UTC: year 10000
ENDS = [
    *(MIN, EARLY_IN_TOKYO, MIN + timedelta(days=1), MIN + timedelta(days=3)),
    *(MAX, LATE_IN_HAWAII, MAX - timedelta(days=1), MAX - timedelta(days=3)),
    datetime(9999, 12, 31, 23, 59, tzinfo=UTC),
]
ZONES = ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Manila", "America/Juneau"]
"""Ahead of UTC by 14 hours, behind it by 11, and with a local mean time 16 hours off."""

edges = st.builds(
    lambda end, days: _moved(end, days), st.sampled_from(ENDS), st.integers(-800, 800)
)


def _moved(moment: datetime, days: int) -> datetime:
    try:
        return moment + timedelta(days=days)
    except OverflowError:
        return moment


edges = st.builds(_moved, st.sampled_from(ENDS), st.integers(-800, 800))


@quick
@given(expressions, st.sampled_from(ZONES), edges, st.sampled_from([0, 1, 3600, 2**31 - 1]))
def test_no_search_fails(expression: str, zone: str, moment: datetime, jitter: int) -> None:
    schedule = fires_of(expression, zone, jitter, "job")
    following = schedule.next(moment)
    assert following is None or following.due_at > moment
    previous = previous_fire(expression, moment, zone)
    assert previous is None or previous <= moment
    assert schedule.at(moment).due_at.tzinfo is UTC
    until = _moved(moment, 1)
    assert all(fire.due_at <= until for fire in islice(schedule.due(moment, until), 99))


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("moment", [MAX, LATE_IN_HAWAII, MAX - timedelta(milliseconds=9)])
def test_nothing_fires_after_the_year_9999(moment: datetime, zone: str) -> None:
    assert next_fire("* * * * * *", moment, zone) is None


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("moment", [MIN, EARLY_IN_TOKYO, MIN + timedelta(seconds=1)])
def test_nothing_fired_before_the_year_1(moment: datetime, zone: str) -> None:
    assert previous_fire("* * * * * *", moment, zone) is None


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("moment", [MIN, EARLY_IN_TOKYO])
def test_first_fire_of_all_is_found(moment: datetime, zone: str) -> None:
    fire = next_fire("0 0 1 * *", moment, zone)
    assert fire is not None
    assert fire < MIN + timedelta(days=40)


@pytest.mark.parametrize("zone", ZONES)
def test_last_fire_of_all_is_found(zone: str) -> None:
    fire = previous_fire("0 0 1 * *", MAX, zone)
    assert fire is not None
    assert fire > MAX - timedelta(days=40)


def test_rare_fire_after_the_calendar_ends_is_none() -> None:
    assert next_fire("0 0 29 2 *", datetime(9997, 1, 1, tzinfo=UTC), "Europe/Berlin") is None
