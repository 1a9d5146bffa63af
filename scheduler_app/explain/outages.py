"""When no scheduler was alive, out of what the schedulers have left in the database."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max, Min

from scheduler_app.models import Node
from scheduler_app.text import Clock


@dataclass(frozen=True, slots=True)
class Outage:
    """A time in which no scheduler was alive."""

    begin: datetime | None
    """When an earlier scheduler was last alive; None: none is known."""
    end: datetime | None
    """When the next scheduler started; None: none has."""

    def words(self, clock: Clock, near: datetime) -> str:
        """Return a sentence without its full stop."""
        begin = clock.near(self.begin, near) if self.begin else ""
        if self.end:
            end = clock.near(self.end, near)
            bounds = f"from {begin} to {end}" if begin else f"before {end}"
            return f"No scheduler was alive {bounds}"
        return f"No scheduler has been alive{f' since {begin}' if begin else ''}"


def outage_at(moment: datetime, now: datetime) -> Outage | None:
    """Return the outage in which this moment lies; None: some scheduler was alive, as far as is
    known."""
    lives = Node.objects.lives(now)
    if lives.filter(started_at__lte=moment, alive_to__gte=moment).exists():
        return None
    begin = lives.filter(alive_to__lt=moment).aggregate(at=Max("alive_to"))["at"]
    end = lives.filter(started_at__gt=moment).aggregate(at=Min("started_at"))["at"]
    return Outage(begin, end)


def death_of(node: Node, now: datetime) -> datetime | None:
    """Return when this scheduler was last heard of, if it is not alive now."""
    lives = Node.objects.lives(now).filter(pk=node.pk).exclude(alive_to__gte=now)
    died: datetime | None = lives.values_list("alive_to", flat=True).first()
    return died


def schedulers_without(job_name: str, moment: datetime, now: datetime) -> list[str]:
    """Return the schedulers that were alive at this moment, if none of them had the job in its
    code."""
    alive = Node.objects.lives(now).filter(started_at__lte=moment, alive_to__gte=moment)
    found = list(alive.values_list("name", "declares"))
    return [] if any(job_name in declares for _, declares in found) else [name for name, _ in found]
