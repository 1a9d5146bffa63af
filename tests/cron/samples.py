"""Expressions, zones and moments to try, and how to write moments down."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from scheduler_app.cron.expression import normalise
from scheduler_app.cron.fires import next_fire
from scheduler_app.exceptions import CronError

quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])

CHANGES = {
    "Europe/Berlin": ("2026-03-29T01:00", "2026-10-25T01:00"),
    "America/New_York": ("2026-03-08T07:00", "2026-11-01T06:00"),
    "Australia/Lord_Howe": ("2026-04-04T15:00", "2026-10-03T15:30"),  # by half an hour
    "Africa/Cairo": ("2026-04-23T22:00", "2026-10-29T21:00"),  # skips and repeats midnight
    "Europe/Dublin": ("2026-03-29T01:00", "2026-10-25T01:00"),  # its winter is the exception
    "Asia/Kathmandu": ("2026-06-01T00:00",),  # never changes, 5:45 ahead
    "UTC": ("2024-02-29T00:00",),
}
"""Zones, and the moments (UTC) at which their clocks are changed."""


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def clock(moment: datetime, zone: str) -> str:
    """Day, time and offset, as the clocks of the zone show them."""
    return f"{moment.astimezone(ZoneInfo(zone)):%d %H:%M:%S %z}"


def chain(expression: str, after: datetime, zone: str, count: int) -> list[datetime]:
    """So many fires, each found from the one before it."""
    fires: list[datetime] = []
    while len(fires) < count and (fire := next_fire(expression, after, zone)):
        fires.append(fire)
        after = fire
    return fires


def _values(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    ends = st.tuples(number, number).map(sorted)
    steps = st.integers(1, high)
    return st.one_of(
        number.map(str),
        ends.map(lambda pair: f"{pair[0]}-{pair[1]}"),
        st.tuples(ends, steps).map(lambda drawn: f"{drawn[0][0]}-{drawn[0][1]}/{drawn[1]}"),
        st.lists(number, min_size=2, max_size=4).map(lambda many: ",".join(map(str, many))),
        steps.map(lambda step: f"*/{step}"),
        st.just("*"),
    )


def _mostly_star(strategy: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(st.just("*"), st.just("*"), strategy)


def _fires_at_all(expression: str) -> bool:
    try:
        normalise(expression)
    except CronError:
        return False
    return True


seconds = _values(0, 59)
minutes = _values(0, 59)
hours = st.one_of(_values(0, 23), _values(0, 4))  # clocks are changed at night
_days = _mostly_star(st.one_of(_values(1, 31), st.sampled_from(["L", "LW"])))
_months = _mostly_star(st.one_of(_values(1, 12), st.sampled_from(["MAR-OCT", "apr"])))
_weekdays = _mostly_star(st.one_of(_values(0, 7), st.sampled_from(["SUN", "5L", "mon#1", "1-FRI"])))

five_fields = (
    st.tuples(minutes, hours, _days, _months, _weekdays).map(" ".join).filter(_fires_at_all)
)
six_fields = st.tuples(seconds, five_fields).map(" ".join)
expressions = st.one_of(five_fields, six_fields)
zones = st.sampled_from(sorted(CHANGES))


@st.composite
def moments(draw: st.DrawFn, zone: str) -> datetime:
    """A moment near a change of the zone's clocks, to the microsecond."""
    change = utc(draw(st.sampled_from(CHANGES[zone])))
    near = st.timedeltas(timedelta(hours=-3), timedelta(hours=3))
    far = st.timedeltas(timedelta(days=-9), timedelta(days=9))
    return change + draw(st.one_of(near, far))
