"""What went wrong in the shop, as times before now."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from memory_project.demo import work
from scheduler_app.execution.describe import describe, format_traceback

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
HERE = __file__.rpartition("/memory_project/")[0]


@dataclass(frozen=True, slots=True)
class Error:
    """An exception, as a run keeps it."""

    message: str
    traceback: str


def error_of(function: Callable[[], None]) -> Error:
    """Return what the function raises, as on the shop's own machine."""
    try:
        function()
    except Exception as error:
        return Error(describe(error), format_traceback(error).replace(HERE, "/srv/shop"))
    raise AssertionError("it did not raise")


STOCK, EXPORT = error_of(work.fetch_stock), error_of(lambda: work.upload("bookings.csv"))


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when, both included."""

    begin: datetime
    end: datetime

    def __contains__(self, moment: datetime) -> bool:
        return self.begin <= moment <= self.end


class Incidents:
    """What became of a run, apart from chance."""

    def __init__(self, now: datetime) -> None:
        hour = now.replace(minute=0, second=0, microsecond=0)
        midnight = hour.replace(hour=0)
        self.outage = Span(midnight - 9 * DAY + timedelta(hours=2, minutes=5),
                           midnight - 9 * DAY + timedelta(hours=3, minutes=20))  # fmt: skip
        """No scheduler ran: the machines were moved."""
        self.death = midnight - 12 * DAY + timedelta(hours=14, minutes=2, seconds=20)
        """A scheduler was killed for want of memory."""
        self.congestion = Span(hour - 29 * HOUR, hour - 28 * HOUR)
        """All runs began late."""
        self._stock = Span(hour - 9 * HOUR, hour - 6 * HOUR - timedelta(seconds=1))
        self._export = Span(now - 3 * DAY, now)
        self._slow = Span(now - 2.5 * DAY, now)
        self._busy = Span(hour - 26 * HOUR, hour - 22 * HOUR)

    def error(self, job_name: str, moment: datetime) -> Error | None:
        """Return why a run of the job at this moment failed; None: it did not."""
        if job_name == "sync-inventory" and moment in self._stock:
            return STOCK
        return EXPORT if job_name == "export-accounting" and moment in self._export else None

    def slowness(self, job_name: str, moment: datetime) -> float:
        """Return how many times longer than usual a run took."""
        if job_name == "reindex-search" and moment in self._slow:
            return 3.2
        return 1.75 if job_name == "refresh-recommendations" and moment in self._busy else 1.0

    def lateness(self, job_name: str, moment: datetime) -> timedelta:
        """Return how much later than usual a run began."""
        if moment in self.congestion:
            return timedelta(seconds=45 + 12 * (moment.minute % 20))
        return timedelta()
