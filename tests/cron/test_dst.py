"""What happens when the clocks are changed: Debian's rules, in five and six fields."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import assume, given
from hypothesis import strategies as st

from scheduler_app.cron.fires import next_fire
from tests.cron.samples import CHANGES, chain, clock, five_fields, moments, quick, utc, zones

BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"

FIXED_TIME = [
    # a skipped time fires right after the gap
    (BERLIN, "2026-03-28T12:00", "30 2 * * *", ["29 03:00:00 +0200", "30 02:30:00 +0200"]),
    (BERLIN, "2026-03-28T12:00", "15 30 2 * * *", ["29 03:00:15 +0200", "30 02:30:15 +0200"]),
    (NEW_YORK, "2026-03-07T12:00", "59 2 * * *", ["08 03:00:00 -0400", "09 02:59:00 -0400"]),
    (NEW_YORK, "2026-03-07T12:00", "59 59 2 * * *", ["08 03:00:59 -0400", "09 02:59:59 -0400"]),
    (LORD_HOWE, "2026-10-03T12:00", "15 2 * * *", ["04 02:30:00 +1100", "05 02:15:00 +1100"]),
    (LORD_HOWE, "2026-10-03T12:00", "9 15 2 * * *", ["04 02:30:09 +1100", "05 02:15:09 +1100"]),
    # even with others, and then once
    (BERLIN, "2026-03-28T12:00", "0,30 2,3 * * *", ["29 03:00:00 +0200", "29 03:30:00 +0200"]),
    (BERLIN, "2026-03-28T12:00", "5,9 0 2,3 * * *", ["29 03:00:05 +0200", "29 03:00:09 +0200"]),
    # a repeated time fires at its first pass
    (BERLIN, "2026-10-24T12:00", "30 2 * * *", ["25 02:30:00 +0200", "26 02:30:00 +0100"]),
    (BERLIN, "2026-10-24T12:00", "15 30 2 * * *", ["25 02:30:15 +0200", "26 02:30:15 +0100"]),
    (NEW_YORK, "2026-10-31T12:00", "0 1 * * *", ["01 01:00:00 -0400", "02 01:00:00 -0500"]),
    (NEW_YORK, "2026-10-31T12:00", "59 0 1 * * *", ["01 01:00:59 -0400", "02 01:00:59 -0500"]),
    (LORD_HOWE, "2026-04-04T12:00", "45 1 * * *", ["05 01:45:00 +1100", "06 01:45:00 +1030"]),
    (LORD_HOWE, "2026-04-04T12:00", "9 45 1 * * *", ["05 01:45:09 +1100", "06 01:45:09 +1030"]),
    # also when asked between the passes, or in the second one
    (BERLIN, "2026-10-25T00:45", "30 2 * * *", ["26 02:30:00 +0100", "27 02:30:00 +0100"]),
    (BERLIN, "2026-10-25T01:15", "30 2 * * *", ["26 02:30:00 +0100", "27 02:30:00 +0100"]),
    (BERLIN, "2026-10-25T01:15", "15 30 2 * * *", ["26 02:30:15 +0100", "27 02:30:15 +0100"]),
    (LORD_HOWE, "2026-04-04T15:05", "45 1 * * *", ["06 01:45:00 +1030", "07 01:45:00 +1030"]),
    # the hours around the change are left alone
    (BERLIN, "2026-03-28T23:30", "0 1,3 * * *", ["29 01:00:00 +0100", "29 03:00:00 +0200"]),
    (BERLIN, "2026-10-24T22:30", "0 1,3 * * *", ["25 01:00:00 +0200", "25 03:00:00 +0100"]),
]

BY_THE_CLOCK = [
    # every hour, every minute: no pause and no hurry
    (BERLIN, "2026-03-29T00:30", "0 * * * *", ["29 03:00:00 +0200", "29 04:00:00 +0200"]),
    (BERLIN, "2026-03-29T00:58", "* * * * *", ["29 01:59:00 +0100", "29 03:00:00 +0200"]),
    (BERLIN, "2026-03-29T00:59:59", "* * * * * *", ["29 03:00:00 +0200", "29 03:00:01 +0200"]),
    (BERLIN, "2026-10-25T00:00", "30 * * * *", ["25 02:30:00 +0200", "25 02:30:00 +0100"]),
    (BERLIN, "2026-10-25T00:00", "9 30 * * * *", ["25 02:30:09 +0200", "25 02:30:09 +0100"]),
    (BERLIN, "2026-10-25T00:58", "* * * * *", ["25 02:59:00 +0200", "25 02:00:00 +0100"]),
    (BERLIN, "2026-10-25T01:29", "30 * * * *", ["25 02:30:00 +0100", "25 03:30:00 +0100"]),
    (NEW_YORK, "2026-11-01T05:10", "*/30 1 * * *", ["01 01:30:00 -0400", "01 01:00:00 -0500"]),
    (LORD_HOWE, "2026-10-03T15:20", "*/15 * * * *", ["04 02:30:00 +1100", "04 02:45:00 +1100"]),
    (LORD_HOWE, "2026-04-04T14:40", "*/15 * * * *", ["05 01:45:00 +1100", "05 01:30:00 +1030"]),
    # a skipped time does not exist for a clock
    (NEW_YORK, "2026-03-07T12:00", "*/30 2 8,10 3 *", ["10 02:00:00 -0400", "10 02:30:00 -0400"]),
    (BERLIN, "2026-03-28T12:00", "*/40 2 * * *", ["30 02:00:00 +0200", "30 02:40:00 +0200"]),
]


@pytest.mark.parametrize(("zone", "after", "expression", "expected"), FIXED_TIME)
def test_fixed_time_fires_once_a_day(
    zone: str, after: str, expression: str, expected: list[str]
) -> None:
    assert [clock(each, zone) for each in chain(expression, utc(after), zone, 2)] == expected


@pytest.mark.parametrize(("zone", "after", "expression", "expected"), BY_THE_CLOCK)
def test_star_fires_whenever_the_clock_matches(
    zone: str, after: str, expression: str, expected: list[str]
) -> None:
    assert [clock(each, zone) for each in chain(expression, utc(after), zone, 2)] == expected


@pytest.mark.parametrize("zone", CHANGES)
def test_every_minute_is_every_minute(zone: str) -> None:
    for change in CHANGES[zone]:
        start = utc(change) - timedelta(hours=2)
        fires = chain("* * * * *", start, zone, 240)
        assert fires == [start + timedelta(minutes=n + 1) for n in range(240)]


@pytest.mark.parametrize("zone", CHANGES)
@pytest.mark.parametrize("expression", ["30 2 * * *", "9 45 1 * * *", "15 0 * * *"])
def test_daily_job_fires_once_on_each_day_of_a_year(zone: str, expression: str) -> None:
    fires = chain(expression, utc("2026-01-01T12:00"), zone, 365)
    days = {fire.astimezone(ZoneInfo(zone)).date() for fire in fires}
    assert len(days) == 365
    assert max(days) - min(days) == timedelta(days=364)


def test_both_passes_are_found_from_a_moment_in_local_time() -> None:
    passes = [datetime(2026, 10, 25, 2, 15, tzinfo=ZoneInfo(BERLIN), fold=fold) for fold in (0, 1)]
    fires = [next_fire("30 * * * *", each, BERLIN) for each in passes]
    assert fires == [utc("2026-10-25T00:30"), utc("2026-10-25T01:30")]


def test_a_day_that_a_country_skipped_fires_at_its_end() -> None:
    fires = chain("0 12 * * *", utc("2011-12-29T12:00"), "Pacific/Apia", 3)
    assert [clock(each, "Pacific/Apia") for each in fires] == [
        "29 12:00:00 -1000",
        "31 00:00:00 +1400",
        "31 12:00:00 +1400",
    ]


def is_by_the_clock(expression: str) -> bool:
    return any(field.startswith("*") for field in expression.split()[:2])


@quick
@given(five_fields, zones, st.data())
def test_fixed_times_are_those_of_cronsim(expression: str, zone: str, data: st.DataObject) -> None:
    assume(not is_by_the_clock(expression))
    after = data.draw(moments(zone)).astimezone(ZoneInfo(zone))
    assume(after.fold == 0)  # CronSim repeats moments when it starts in a second pass
    cronsim = [each.astimezone(UTC) for each in islice(CronSim(expression, after), 9)]
    assert chain(expression, after, zone, 9) == cronsim


@quick
@given(five_fields, st.sampled_from([BERLIN, NEW_YORK]), st.data())
def test_where_clocks_change_by_the_hour_all_fires_are_those_of_cronsim(
    expression: str, zone: str, data: st.DataObject
) -> None:
    after = data.draw(moments(zone)).astimezone(ZoneInfo(zone))
    assume(after.fold == 0 or is_by_the_clock(expression))
    cronsim = [each.astimezone(UTC) for each in islice(CronSim(expression, after), 9)]
    assert chain(expression, after, zone, 9) == cronsim


def matches(expression: str, local: datetime) -> bool:
    return next(CronSim(expression, local - timedelta(seconds=1)), None) == local


@quick
@given(five_fields, zones, st.data())
def test_star_fires_at_just_the_minutes_that_the_clock_shows(
    expression: str, zone: str, data: st.DataObject
) -> None:
    assume(is_by_the_clock(expression))
    start = data.draw(moments(zone)).replace(second=0, microsecond=0)
    minutes = [start + timedelta(minutes=n + 1) for n in range(120)]
    shown = [each.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0) for each in minutes]
    expected = [
        minute for minute, local in zip(minutes, shown, strict=True) if matches(expression, local)
    ]
    fires = chain(expression, start, zone, len(expected) + 1)
    assert [fire for fire in fires if fire <= minutes[-1]] == expected
