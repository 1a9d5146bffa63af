"""The rules by which a job fires: those in its row, whichever code wrote them last.

So nodes of different releases fire a job alike."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from scheduler_app.cron import Schedule
from scheduler_app.models import Job, bulk
from scheduler_app.policies import CatchUp, Overlap, Policies

DECISIVE = ("overlap", "catch_up", "catch_up_limit")
"""The policies that decide what becomes of an occurrence."""


@dataclass(frozen=True, slots=True, eq=False)
class FiringRules:
    """A job's schedule, and those of its policies that decide what becomes of an occurrence. Jobs
    with the same rules share one object."""

    schedule: Schedule
    policies: Policies

    @property
    def may_overlap(self) -> bool:
        return self.policies.overlap == Overlap.ALLOW


def rules_of(names: Iterable[str]) -> dict[str, FiringRules]:
    """Return the rules of those of these jobs that have a row."""
    rows = Job.objects.filter(bulk.AnyOf("name", names)).order_by()
    columns = bulk.fetch(rows.values_list("name", "cron", "timezone", "jitter", *DECISIVE))
    return {
        name: _rules(cron, timezone, jitter, name if jitter else "", *decisive)
        for name, cron, timezone, jitter, *decisive in columns
    }


@lru_cache(maxsize=4096)
def _rules(
    cron: str,
    timezone: str,
    jitter: int,
    seed: str,
    overlap: str,
    catch_up: str,
    catch_up_limit: int,
) -> FiringRules:
    policies = Policies(
        overlap=Overlap(overlap), catch_up=CatchUp(catch_up), catch_up_limit=catch_up_limit
    )
    return FiringRules(Schedule(cron, timezone, jitter, seed), policies)
