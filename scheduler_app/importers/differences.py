"""Where a job would fire otherwise here than it did there."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice, takewhile

from scheduler_app.cron import Fires

HORIZON = timedelta(days=400)
"""Both changes of the clock, of either hemisphere."""
MOST = 20_000
"""So many fires of each are compared at most."""


def differences(
    old: Iterator[datetime], new: Fires, after: datetime
) -> tuple[list[datetime], list[datetime]]:
    """Return the moments of the next 400 days at which the old one alone fires, and those at which
    the new one alone does, in order."""
    until = after + HORIZON
    before = list(islice(takewhile(lambda at: at <= until, old), MOST))
    now = list(islice(takewhile(lambda at: at <= until, _fires(new, after)), MOST))
    if len(before) == MOST or len(now) == MOST:
        until = min(before[-1:] + now[-1:])
    one, other = ({at for at in fires if at <= until} for fires in (before, now))
    return sorted(one - other), sorted(other - one)


def _fires(schedule: Fires, moment: datetime) -> Iterator[datetime]:
    while following := schedule.scheduled_after(moment):
        yield following
        moment = following
