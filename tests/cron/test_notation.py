"""The text of a schedule that is more than a cron expression."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler_app.cron import Schedule, Uncomputable
from scheduler_app.cron.notation import interval_of, interval_text, normalise
from tests.cron.samples import quick
from tests.fires import fires_of


def complaint(text: str, zone: str = "UTC") -> str:
    problem = Schedule(text, zone).compute()
    assert isinstance(problem, Uncomputable)
    return problem.text


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("0 3 * * mon", "0 3 * * MON"),
        ("@daily", "0 0 * * *"),
        ("@every 5m", "@every 5m"),
        (" @EVERY  300S ", "@every 5m"),
        ("@every 90m", "@every 1h30m"),
        ("@every 1w", "@every 7d"),
        ("@every 1m1m", "@every 2m"),
        (
            "@every 2h anchor 2026-01-01T09:00:00+01:00",
            "@every 2h anchor 2026-01-01T08:00:00Z",
        ),
        ("@every 2h anchor 1970-01-01T00:00:00Z", "@every 2h"),
        ("@at 2026-12-24T19:00:00+01:00", "@at 2026-12-24T18:00:00Z"),
        (
            "@hourly end 2026-03-01T00:00:00Z start 2026-02-01T00:00:00Z",
            "0 * * * * start 2026-02-01T00:00:00Z end 2026-03-01T00:00:00Z",
        ),
        (
            "0 3 * * * except sun, 12-25,2026-12-31/2027-01-01,sat,2026-05-01",
            "0 3 * * * except SAT,SUN,12-25,2026-05-01,2026-12-31/2027-01-01",
        ),
        ("0 3 * * * Except weekends", "0 3 * * * except SAT,SUN"),
    ],
)
def test_normal_form(text: str, normal: str) -> None:
    assert normalise(text) == normal
    assert normalise(normal) == normal


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("@every", "Bad interval '': use whole seconds"),
        ("@every 0s", "Bad interval '0s'"),
        ("@every 5", "Bad interval '5'"),
        ("@every 5 m", "Bad interval '5 m'"),
        ("@every 1.5h", "Bad interval '1.5h'"),
        ("@every -5m", "Bad interval '-5m'"),
        ("@every ٣m", "Bad interval"),
        ("@every 9999999999w", "from 1 second to 3,660 days"),
        ("@at", "Bad moment in '@at': write it with its offset from UTC"),
        ("@at 2026-12-24", "Bad moment in '@at 2026-12-24'"),
        ("@at 2026-12-24T18:00:00", "Bad moment in"),
        ("@at 2026-12-24T18:00:00.5Z", "without fractions"),
        ("@at 0001-01-01T00:00:00+14:00", "it is out of range"),
        ("0 3 * * * start tomorrow", "Bad moment in 'start tomorrow'"),
        ("0 3 * * * start", "Bad moment in 'start '"),
        ("0 3 * * * anchor 2026-01-01T00:00:00Z", "only an interval has an anchor"),
        (
            "@every 5m start 2026-01-01T00:00:00Z START 2026-01-02T00:00:00Z",
            "it has two of 'start'",
        ),
        ("@daily start 2026-01-02T00:00:00Z end 2026-01-01T00:00:00Z", "it ends before it starts"),
        ("@daily except", "Bad day '' in the calendar: name weekdays (MON, "),
        ("@daily except 2026-02-29", "Bad day '2026-02-29' in the calendar"),
        ("@daily except 13-01", "Bad day '13-01'"),
        ("@daily except christmas", "Bad day 'christmas'"),
        ("@daily except 2026-01-02/2026-01-01", "it ends before it begins"),
        ("except SAT", "Empty cron expression"),
        ("@reboot", "Unknown cron alias '@reboot'"),
    ],
)
def test_bad_text_is_refused_with_what_would_be_right(text: str, why: str) -> None:
    assert why in complaint(text)


@pytest.mark.parametrize(
    "text",
    [
        "0 3 * * SAT except SAT",
        "@daily except MON,TUE,WED,THU,FRI,SAT,SUN",
        "@every 1d start 2026-01-01T00:00:00Z end 2026-01-02T00:00:00Z except 01-01,01-02",
        "@at 2026-01-01T12:00:00Z except 01-01",
        "@at 2026-01-01T12:00:00Z end 2025-12-31T00:00:00Z",
        "0 0 29 2 * except 02-29",
        "* * * * * * except 0001-01-01/9999-12-31",
    ],
)
def test_limits_that_leave_nothing_are_refused(text: str) -> None:
    assert complaint(text).endswith(
        "never fires: its start, its end or its calendar leaves out every moment"
    )


def test_zone_decides_which_days_are_left_out() -> None:
    text = "@at 2026-01-01T23:30:00Z except 01-01"
    assert isinstance(Schedule(text, "UTC").compute(), Uncomputable)
    assert fires_of(text, "Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("@every 1m", "Every minute"),
        ("@every 5m", "Every 5 minutes"),
        ("@every 90s", "Every 90 seconds"),
        ("@every 14d", "Every 2 weeks"),
        (
            "@every 2h anchor 2026-07-01T08:00:00Z",
            "Every 2 hours, counted from 2026-07-01 10:00",
        ),
        ("@at 2026-12-24T18:00:30Z", "Once, at 2026-12-24 19:00:30"),
        (
            "0 3 * * * start 2026-01-01T00:00:00Z end 2026-06-30T21:59:59Z except SAT,SUN,12-25",
            "At 03:00 every day, from 2026-01-01 01:00 on, until 2026-06-30 23:59:59, "
            "not on Saturdays, Sundays, or 12-25 of each year",
        ),
        (
            "@every 1d except 2026-01-01,2026-01-03,2026-01-05,2026-01-07,2026-01-09,2026-01-11,"
            "2026-01-13,2026-01-15,2026-01-17",
            "Every day, not on 2026-01-01, 2026-01-03, 2026-01-05, 2026-01-07, 2026-01-09, "
            "2026-01-11, or 3 more days",
        ),
        ("@every 1d except 2026-12-24/2027-01-01", "Every day, not on 2026-12-24 to 2027-01-01"),
    ],
)
def test_words(text: str, words: str) -> None:
    assert fires_of(text, "Europe/Berlin").explain() == words


@quick
@given(st.integers(1, 3660 * 86_400))
def test_interval_is_read_as_it_is_written(seconds: int) -> None:
    assert interval_of(interval_text(seconds)) == seconds
    assert interval_of(timedelta(seconds=seconds)) == seconds


WORDS = (
    "@every",
    "@at",
    "start",
    "end",
    "except",
    "anchor",
    "5m",
    "SAT",
    "2026-01-01T00:00:00Z",
    "*",
)


@quick
@given(st.lists(st.sampled_from(WORDS)).map(" ".join))
def test_any_words_are_computed_or_refused(text: str) -> None:
    computed = Schedule(text).compute()
    if isinstance(computed, Uncomputable):
        assert computed.text.isprintable()
    else:
        assert normalise(computed.expression) == computed.expression
        assert computed.explain()
