"""What the oracle expects, against moments written by hand."""

from datetime import UTC, datetime

from tests.soak import oracle
from tests.soak.declared import Declared

BEGIN = datetime(2026, 3, 1, 12, 0, tzinfo=UTC).timestamp()


def expected(cron: str, seconds: float, timezone: str = "UTC") -> list[float]:
    job = Declared(name="job", cron=cron, work="quick", timezone=timezone)
    return [moment - BEGIN for moment in oracle.expected(job, BEGIN, BEGIN + seconds)]


def test_six_fields_put_seconds_first() -> None:
    assert expected("*/5 * * * * *", 12) == [5, 10]


def test_the_begin_is_left_out_and_the_end_is_not() -> None:
    assert expected("* * * * *", 60) == [60]


def test_zone_with_quarters_of_an_hour_is_followed() -> None:
    assert expected("0 18 * * *", 3600, "Asia/Kathmandu") == [15 * 60]
