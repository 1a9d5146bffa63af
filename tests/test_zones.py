"""The rules of time zones, as this process knows them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from scheduler_app import zones
from tests.harness.tzdata import tzdata

SPRING = datetime(2026, 3, 29, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "name", ["UTC", "Europe/Berlin", "America/Santiago", "Africa/Casablanca", "Australia/Lord_Howe"]
)
def test_offsets_are_those_of_the_zone_at_any_hour(name: str) -> None:
    known = zones.offsets(name)
    assert known is not None
    for hours in range(0, 24 * 365 * 6, 7):
        moment = datetime(2022, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
        assert known.local(moment) == moment.astimezone(ZoneInfo(name)).replace(tzinfo=None)


def test_unknown_zone_has_no_rules() -> None:
    assert zones.offsets("Mars/Olympus") is None
    assert zones.digest("Mars/Olympus") == ""


def test_zones_with_the_same_offsets_have_the_same_digest() -> None:
    assert zones.digest("Europe/Berlin") == zones.digest("Europe/Paris")
    assert zones.digest("Europe/Berlin") != zones.digest("Europe/London")


def test_other_tzdata_has_another_digest(tmp_path: Path) -> None:
    with tzdata(tmp_path, {"Test/Beirut": [(None, 2), (SPRING, 3)]}):
        one = zones.digest("Test/Beirut")
    with tzdata(tmp_path, {"Test/Beirut": [(None, 2), (SPRING + timedelta(days=20), 3)]}):
        other = zones.digest("Test/Beirut")
    assert one != other != ""


def test_rules_agree_where_their_offsets_do() -> None:
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    one = zones.ZoneOffsets(((0, 7200), (round(SPRING.timestamp()), 10800)))
    other = zones.ZoneOffsets(((0, 7200),))
    assert one.agrees_with(other, begin, SPRING - timedelta(seconds=1))
    assert not one.agrees_with(other, begin, SPRING)
    assert not one.agrees_with(other, SPRING, SPRING + timedelta(days=1))
