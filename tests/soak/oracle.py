"""Which occurrences there have to be, computed by croniter from what is declared."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from croniter import croniter

from tests.soak.declared import Declared


def expected(job: Declared, begin: float, end: float) -> list[float]:
    """The moments of its schedule after `begin` and up to `end`, in seconds since the epoch."""
    start = datetime.fromtimestamp(begin, ZoneInfo(job.timezone))
    fires = croniter(job.cron, start, second_at_beginning=True)
    moments: list[float] = []
    while (moment := _next(fires)) <= end:
        moments.append(moment)
    return moments


def _next(fires: croniter) -> float:
    moment: datetime = fires.get_next(datetime)
    return moment.astimezone(UTC).timestamp()
