"""On what terms a job fires: what its row says, whichever code put it there last.

Nodes of different releases so fire a job alike."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from scheduler_app.cron import Schedule
from scheduler_app.models import Job
from scheduler_app.policies import CatchUp, Overlap, Policies

DECISIVE = ("overlap", "catch_up", "catch_up_limit")
"""The policies that decide what becomes of an occurrence."""


@dataclass(frozen=True, slots=True)
class Terms:
    """A job's schedule, and those of its policies that decide what becomes of an occurrence."""

    schedule: Schedule
    policies: Policies

    @property
    def may_overlap(self) -> bool:
        return self.policies.overlap == Overlap.ALLOW


def terms_of(names: Iterable[str]) -> dict[str, Terms]:
    """The terms of those of these jobs that have a row."""
    rows = Job.objects.filter(name__in=list(names))
    columns = rows.values_list("name", "cron", "timezone", "jitter", *DECISIVE)
    return {
        name: Terms(Schedule(cron, timezone, jitter, name), _policies(*decisive))
        for name, cron, timezone, jitter, *decisive in columns
    }


@lru_cache(maxsize=1024)
def _policies(overlap: str, catch_up: str, catch_up_limit: int) -> Policies:
    return Policies(
        overlap=Overlap(overlap), catch_up=CatchUp(catch_up), catch_up_limit=catch_up_limit
    )
