"""Schedules in words."""

import pytest
from hypothesis import given

from scheduler_app.cron.expression import explain
from scheduler_app.exceptions import CronError
from tests.cron.samples import expressions, quick


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("@daily", "At 00:00 every day"),
        ("@hourly", "At the start of every hour"),
        ("* * * * *", "Every minute"),
        ("* * * * * *", "Every second"),
        ("*/5 * * * *", "Every fifth minute of every hour"),
        ("30 4 * * 1-5", "At 04:30 on Monday through Friday"),
        ("15 30 4 * * *", "At 04:30:15 every day"),
        ("0 0 L * *", "At 00:00 on the last day of every month"),
        ("0 4 * * sun", "At 04:00 on Sunday"),
    ],
)
def test_schedule_in_words(expression: str, words: str) -> None:
    assert explain(expression) == words


@pytest.mark.parametrize(
    ("day", "ordinal"),
    [(1, "first"), (11, "11th"), (21, "21st"), (22, "22nd"), (23, "23rd"), (31, "31st")],
)
def test_days_have_the_ordinals_of_english(day: int, ordinal: str) -> None:
    assert explain(f"0 0 {day} * *") == f"At 00:00 on the {ordinal} day of every month"


def test_bad_expression_is_not_explained() -> None:
    with pytest.raises(CronError, match="hour"):
        explain("0 25 * * *")


@quick
@given(expressions)
def test_whatever_fires_can_be_explained(expression: str) -> None:
    assert explain(expression)[0].isupper()
