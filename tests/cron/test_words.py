"""The words of a schedule are true: what they claim is when it fires."""

from datetime import datetime, time, timedelta
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler_app.cron.expression import explain
from scheduler_app.cron.fires import next_fire
from tests.cron.claims import Claim, read
from tests.cron.samples import chain, expressions, quick, utc

FULL_DAYS = ["1-31", "*/1", "1/1", "1-15,16-31", "1-30,L", "1-30,31", "*"]
FULL_WEEKDAYS = ["0-6", "1-7", "sun-sat", "*/1", "0-7", "mon-sat,0", "1,2,3-7", "*"]
SPECIAL_DAYS = ["L", "LW", "L,LW", "15,L", "1-5,LW", "*/2", "*/10", "2-30/4", "L/3", "31", "13"]
SPECIAL_WEEKDAYS = [
    *("mon#1", "5L", "0L,7L", "mon#1,5L", "mon,mon#2", "fri-sat,sun-mon", "*/2", "1-5", "1/2"),
    *("0,6", "mon#5", "7", "*/7", "sun#2,tue"),
]
MONTHS = ["*", "*", "1", "mar-oct", "1,7", "*/2", "*/1", "2", "1-3,12"]
MINUTES = ["0", "*", "*/5", "*/7", "*/50", "*/30", "3/5", "10-20/50", "0-59", "0-58", "5,5", "*/1"]
HOURS = ["0", "*", "*/2", "*/5", "9-17", "9-17/2", "0-23", "9,10,22", "1/6", "*/1", "23"]
SECONDS = ["0", "*", "*/2", "*/10", "30", "0,30", "10-20", "*/59", "7/7", "0-59"]

tricky = st.tuples(
    *(st.sampled_from(values) for values in (MINUTES, HOURS)),
    st.sampled_from(FULL_DAYS + SPECIAL_DAYS),
    st.sampled_from(MONTHS),
    st.sampled_from(FULL_WEEKDAYS + SPECIAL_WEEKDAYS),
).map(" ".join)
tricky_seconds = st.tuples(st.sampled_from(SECONDS), tricky).map(" ".join)


def fires_at_all(expression: str) -> bool:
    try:
        return next_fire(expression, utc("2026-01-01"), "UTC") is not None
    except ValueError:
        return False


any_expression = st.one_of(tricky, tricky_seconds).filter(fires_at_all) | expressions


def first_fires_of_days(expression: str, after: datetime, count: int) -> list[datetime]:
    fires: list[datetime] = []
    while len(fires) < count and (fire := next_fire(expression, after, "UTC")):
        fires.append(fire)
        after = datetime.combine(fire, time(23, 59, 59), fire.tzinfo)
    return fires


def first_claims_of_days(claim: Claim, after: datetime, days: int, count: int) -> list[datetime]:
    claimed = (claim.first_of(after.date() + timedelta(days=n), after) for n in range(days))
    return list(islice(filter(None, claimed), count))


@quick
@given(any_expression, st.datetimes(datetime(2024, 1, 1), datetime(2031, 1, 1)))
def test_words_name_the_days_of_the_fires(expression: str, day: datetime) -> None:
    after, days = utc(str(day.date())), 6 * 365
    end = after + timedelta(days=days - 1)
    fires = first_fires_of_days(expression, after, 40)
    claimed = first_claims_of_days(read(explain(expression)), after, days, 40)
    assert [each for each in claimed if each < end] == [each for each in fires if each < end]


@quick
@given(any_expression, st.times())
def test_words_name_the_times_of_the_fires(expression: str, at: time) -> None:
    first = next_fire(expression, utc("2026-02-27"), "UTC")
    assert first is not None
    for moment in (datetime.combine(first, at.replace(microsecond=0), first.tzinfo), first):
        after = moment - timedelta(seconds=1)
        claimed = islice(read(explain(expression)).after(after, 2), 90)
        end = datetime.combine(after, time(), first.tzinfo) + timedelta(days=2)
        assert list(claimed) == [fire for fire in chain(expression, after, "UTC", 90) if fire < end]


@pytest.mark.parametrize("days", FULL_DAYS[:-1])
@pytest.mark.parametrize("weekdays", ["mon", "1-5", "mon#1", "5L"])
def test_full_day_field_without_a_star_is_every_day(days: str, weekdays: str) -> None:
    every_day = "on Monday" if days.startswith("*") else "every day"
    words = explain(f"0 0 {days} * {weekdays}")
    assert words.endswith(every_day) or days.startswith("*")


@pytest.mark.parametrize("weekdays", FULL_WEEKDAYS)
@pytest.mark.parametrize("days", ["13", "L", "LW", "1-7"])
def test_full_weekday_field_without_a_star_is_every_day(days: str, weekdays: str) -> None:
    words = explain(f"0 0 {days} * {weekdays}")
    assert (words == "At 00:00 every day") is not weekdays.startswith("*")


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("0 0 1-31 * mon", "At 00:00 every day"),
        ("0 0 */1 * mon", "At 00:00 on Monday"),
        (
            "0 0 */2 * mon",
            "At 00:00 on every other day from 1 through 31 of the month if it is Monday",
        ),
        ("0 0 13 * fri", "At 00:00 on the 13th day of the month and on Friday"),
        (
            "0 0 13 1,7 fri",
            "At 00:00 on the 13th day of the month and on Friday, in January and July",
        ),
        ("0 0 1,15,L * *", "At 00:00 on days 1 and 15 and the last day of every month"),
        ("0 0 * 3-10 fri-sat,sun", "At 00:00 on Friday through Sunday in March through October"),
        ("0 0 1 1 *", "At 00:00 on January 1"),
        (
            "0 0 * * mon#1,5L",
            "At 00:00 on the first Monday of the month and the last Friday of the month",
        ),
        ("0 9 * 1 *", "At 09:00 every day in January"),
        (
            "*/5 9-17 * * 1-5",
            "Every fifth minute from 09:00 through 17:59 on Monday through Friday",
        ),
        ("10-20 11 * * *", "Every minute from 11:10 through 11:20 every day"),
        ("*/50 * * * *", "At minutes 0 and 50 of every hour"),
        ("*/7 * * * *", "Every seventh minute from 0 through 56 of every hour"),
        ("10-20/50 * * * *", "At minute 10 of every hour"),
        ("*/20 * * * *", "At minutes 0, 20, and 40 of every hour"),
        ("*/2 * * * *", "Every other minute of every hour"),
        ("*/60 * * * *", "At the start of every hour"),
        ("0 */24 * * *", "At 00:00 every day"),
        ("0 */5 * * *", "At minute 0 of every fifth hour from 0 through 20 every day"),
        ("30 */6 * * *", "At 00:30, 06:30, 12:30, and 18:30 every day"),
        ("*/10 * * * * *", "Every 10th second of every minute"),
        ("0,30 * * * * *", "At seconds 0 and 30 of every minute"),
        (
            "*/10 */5 9-17 * * *",
            "Every 10th second of every fifth minute of every hour from 9 through 17 every day",
        ),
    ],
)
def test_words_of_an_expression(expression: str, words: str) -> None:
    assert explain(expression) == words
