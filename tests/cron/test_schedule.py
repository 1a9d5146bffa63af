"""The occurrences of a schedule without jitter."""

from datetime import UTC, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler_app.cron import Fire, Fires, Schedule, Uncomputable
from tests.cron.samples import expressions, moments, quick, utc, zones
from tests.fires import fires_of

NOON = utc("2026-03-02T12:00")
HOURLY = fires_of("@hourly")


def hours(*counts: int) -> list[Fire]:
    return [Fire(moment, moment) for moment in (NOON + timedelta(hours=n) for n in counts)]


def test_occurrence_is_due_when_it_is_scheduled() -> None:
    assert HOURLY.next(NOON) == hours(1)[0]


def test_zone_is_that_of_the_schedule() -> None:
    fire = fires_of("0 1 * * *", "Asia/Kathmandu").next(NOON)
    assert fire is not None
    assert fire.scheduled_for == utc("2026-03-02T19:15")


def test_occurrence_is_known_by_its_due_moment() -> None:
    assert HOURLY.at(NOON) == hours(0)[0]


@pytest.mark.parametrize("seconds", [-1, 0.5, 1])
def test_due_moment_of_no_occurrence_counts_as_scheduled(seconds: float) -> None:
    moment = NOON + timedelta(seconds=seconds)
    assert HOURLY.at(moment) == Fire(moment, moment)


def test_due_moment_in_another_zone_is_turned_into_utc() -> None:
    fire = HOURLY.at(NOON.astimezone(ZoneInfo("Asia/Kathmandu")))
    assert (fire.scheduled_for.tzinfo, fire.due_at.tzinfo) == (UTC, UTC)


def test_due_has_all_from_the_first_to_the_end() -> None:
    assert list(HOURLY.due(NOON, NOON + timedelta(hours=3))) == hours(0, 1, 2, 3)


def test_due_ends_before_what_is_later() -> None:
    assert list(HOURLY.due(NOON, NOON + timedelta(minutes=59))) == hours(0)


def test_nothing_is_due_before_the_first() -> None:
    assert list(HOURLY.due(NOON, NOON - timedelta(seconds=1))) == []


def test_first_due_moment_of_a_changed_schedule_comes_first() -> None:
    odd = NOON - timedelta(minutes=1)
    assert list(HOURLY.due(odd, NOON)) == [Fire(odd, odd), *hours(0)]


def test_ten_thousand_occurrences_are_listed() -> None:
    fires = list(
        fires_of("* * * * * *", "Europe/Berlin").due(NOON, NOON + timedelta(seconds=9_999))
    )
    assert len(fires) == 10_000
    assert fires[-1].due_at == NOON + timedelta(seconds=9_999)


def test_schedule_in_words() -> None:
    assert HOURLY.explain() == "At the start of every hour"


def test_valid_schedule_can_be_computed() -> None:
    schedule = Schedule("0 0 1 * * *", "Europe/Berlin", 300, "job")
    assert isinstance(schedule.compute(), Fires)


@pytest.mark.parametrize(
    ("schedule", "complaint"),
    [
        (Schedule("0 25 * * *"), "Bad hour field '25'"),
        (Schedule("@daily", "Mars/Olympus"), "Unknown time zone 'Mars/Olympus'"),
        (Schedule("@daily", jitter=-1), "Bad jitter -1: use a whole number of seconds"),
        (Schedule("@daily", jitter=0.5), "Bad jitter 0.5"),  # type: ignore[arg-type]
        (Schedule("@daily", ZoneInfo("UTC")), "Unknown time zone"),  # type: ignore[arg-type]
        (Schedule(None), "Bad schedule None"),  # type: ignore[arg-type]
        (Schedule([]), "Bad schedule []"),  # type: ignore[arg-type]
        (Schedule(""), "Empty cron expression"),
        (Schedule("@daily", ""), "Unknown time zone ''"),
        (Schedule("@daily", "Europe/Ber\0lin"), r"Unknown time zone 'Europe/Ber\x00lin'"),
        (Schedule("0 0 * * \x1b[2J"), r"Bad day-of-week field '\x1b[2J'"),
        (Schedule("1," * 1_000 + "1 * * * *"), "Bad schedule '1,1,"),
        (Schedule("@daily", "x" * 65), "Unknown time zone 'xxx"),
        (Schedule("@daily", jitter=2**31), "Bad jitter 2147483648"),
        (Schedule("@daily", jitter=True), "Bad jitter True"),
    ],
)
def test_schedule_that_cannot_be_computed_says_why(schedule: Schedule, complaint: str) -> None:
    problem = schedule.compute()
    assert isinstance(problem, Uncomputable)
    assert problem.text.startswith(complaint)


parts = st.one_of(st.text(max_size=12), st.sampled_from(["*", "0", "*/5", "UTC", "L"]))


@quick
@given(st.lists(parts, max_size=7).map(" ".join), parts, st.integers())
def test_any_schedule_is_computed_or_says_why(expression: str, zone: str, jitter: int) -> None:
    computed = Schedule(expression, zone, jitter).compute()
    if isinstance(computed, Uncomputable):
        assert computed.text.isprintable()
    else:
        assert computed.explain()
        assert computed.next(NOON) is not None


@quick
@given(expressions, zones, st.integers(0, 40), st.data())
def test_due_is_next_repeated(expression: str, zone: str, count: int, data: st.DataObject) -> None:
    schedule = fires_of(expression, zone)
    fires = [schedule.next(data.draw(moments(zone)))]
    for _ in range(count):
        assert fires[-1] is not None
        fires.append(schedule.next(fires[-1].due_at))
    first, last = fires[0], fires[-1]
    assert first is not None
    assert last is not None
    assert list(schedule.due(first.due_at, last.due_at)) == fires
