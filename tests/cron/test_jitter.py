"""Occurrences that are due a little after their scheduled moments."""

from datetime import datetime, timedelta
from itertools import islice, pairwise
from statistics import mean

from hypothesis import given
from hypothesis import strategies as st

from scheduler_app.cron import MAX_JITTER, Fire, Fires
from scheduler_app.cron.fires import next_fire
from tests.cron.samples import expressions, moments, quick, utc, zones
from tests.fires import fires_of

NOON = utc("2026-03-02T12:00")
HOURLY = fires_of("@hourly", jitter=600, seed="a")


def fires(schedule: Fires, count: int, after: datetime = NOON) -> list[Fire]:
    """So many occurrences, each found from the one before it."""
    found: list[Fire] = []
    while len(found) < count and (fire := schedule.next(after)):
        found.append(fire)
        after = fire.due_at
    return found


def delays(schedule: Fires, count: int) -> list[float]:
    return [(fire.due_at - fire.scheduled_for).total_seconds() for fire in fires(schedule, count)]


def test_delay_is_the_same_each_time_and_for_ever() -> None:
    assert delays(HOURLY, 3) == [293.612, 241.26, 534.196]


def test_delay_lies_within_the_jitter() -> None:
    assert all(0 <= delay <= 600 for delay in delays(HOURLY, 200))


def test_delays_spread_evenly() -> None:
    drawn = delays(HOURLY, 400)
    assert 270 < mean(drawn) < 330
    assert min(drawn) < 20
    assert max(drawn) > 580


def test_jobs_of_one_schedule_are_spread() -> None:
    due = {fires(fires_of("@hourly", "UTC", 600, f"job-{n}"), 1)[0].due_at for n in range(50)}
    assert len(due) == 50


def test_delay_ends_before_the_next_occurrence() -> None:
    minutely = fires_of("* * * * *", jitter=3600, seed="a")
    assert all(delay < 60 for delay in delays(minutely, 100))
    assert max(delays(minutely, 100)) > 50


def test_every_second_leaves_room_for_milliseconds_only() -> None:
    schedule = fires_of("* * * * * *", jitter=5)
    due = schedule.due(NOON, NOON + timedelta(hours=2))
    drawn = {fire.due_at - fire.scheduled_for for fire in due}
    assert min(drawn) == timedelta(0)
    assert max(drawn) == timedelta(milliseconds=999)


def test_occurrence_that_is_scheduled_but_not_yet_due_comes_next() -> None:
    first = fires(HOURLY, 1)[0]
    assert first.due_at > first.scheduled_for
    assert HOURLY.next(first.scheduled_for) == first


def test_due_moment_that_the_jitter_does_not_give_counts_as_scheduled() -> None:
    moment = fires(HOURLY, 1)[0].due_at + timedelta(milliseconds=1)
    assert HOURLY.at(moment) == Fire(moment, moment)


def test_occurrence_that_is_due_as_late_as_can_be_is_known_again() -> None:
    schedule = fires_of("* * * * *", jitter=1)
    latest = next(
        fire
        for fire in schedule.due(NOON, NOON + timedelta(days=9))
        if fire.due_at - fire.scheduled_for == timedelta(seconds=1)
    )
    assert schedule.at(latest.due_at) == latest


def test_jitter_of_68_years_can_be_computed_with() -> None:
    fire = fires_of("@daily", jitter=MAX_JITTER).next(NOON)
    assert fire is not None
    assert fire.due_at > NOON


@st.composite
def schedules(draw: st.DrawFn) -> Fires:
    jitter = st.one_of(st.integers(0, 120), st.integers(0, 100_000))
    return fires_of(draw(expressions), draw(zones), draw(jitter), draw(st.text(max_size=3)))


@quick
@given(schedules(), st.data())
def test_order_is_kept(schedule: Fires, data: st.DataObject) -> None:
    found = fires(schedule, 6, data.draw(moments(schedule.timezone)))
    for fire, following in pairwise(found):
        assert fire.scheduled_for <= fire.due_at < following.scheduled_for
        limit = timedelta(seconds=schedule.jitter)
        assert fire.due_at <= fire.scheduled_for + limit


@quick
@given(schedules(), st.data())
def test_no_occurrence_is_left_out(schedule: Fires, data: st.DataObject) -> None:
    found = fires(schedule, 4, data.draw(moments(schedule.timezone)))
    for fire, following in pairwise(found):
        following_moment = next_fire(schedule.expression, fire.scheduled_for, schedule.timezone)
        assert following.scheduled_for == following_moment


@quick
@given(schedules(), st.data())
def test_occurrence_is_known_again_by_its_due_moment(schedule: Fires, data: st.DataObject) -> None:
    for fire in fires(schedule, 3, data.draw(moments(schedule.timezone))):
        assert schedule.at(fire.due_at) == fire


@quick
@given(schedules(), st.data())
def test_next_is_the_first_that_is_due_later(schedule: Fires, data: st.DataObject) -> None:
    after = data.draw(moments(schedule.timezone))
    fire = schedule.next(after)
    assert fire is not None
    assert fire.due_at > after
    assert schedule.next(fire.due_at - timedelta(microseconds=1)) == fire


@quick
@given(schedules(), st.integers(1, 20), st.data())
def test_due_is_next_repeated(schedule: Fires, count: int, data: st.DataObject) -> None:
    found = fires(schedule, count, data.draw(moments(schedule.timezone)))
    due = schedule.due(found[0].due_at, found[-1].due_at)
    assert list(islice(due, count + 1)) == found
