"""The rules by which a job fires: those in its row, from code or from people.

So nodes of different releases treat a job alike, and what people have set is in force."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any

from scheduler_app.cron import Schedule
from scheduler_app.exceptions import DeclarationError
from scheduler_app.models import Job, bulk
from scheduler_app.policies import DEFAULTS, Overlap, Policies

POLICIES = tuple(field.name for field in fields(Policies))
"""The columns of a job from which policies() makes its policies."""


@dataclass(frozen=True, slots=True, eq=False)
class FiringRules:
    """A job's schedule and policies. Jobs with the same rules share one object."""

    schedule: Schedule
    policies: Policies


def rules_of(names: Iterable[str]) -> dict[str, FiringRules]:
    """Return the rules of those of these jobs that have a row."""
    rows = Job.objects.filter(bulk.AnyOf("name", names)).order_by()
    columns = bulk.fetch(rows.values_list("name", "cron", "timezone", "jitter", *POLICIES))
    return {
        name: _rules(cron, timezone, jitter, name if jitter else "", *values)
        for name, cron, timezone, jitter, *values in columns
    }


@lru_cache(maxsize=4096)
def _rules(cron: str, timezone: str, jitter: int, seed: str, *values: Any) -> FiringRules:
    return FiringRules(Schedule(cron, timezone, jitter, seed), policies(*values))


@lru_cache(maxsize=4096)
def policies(*values: Any) -> Policies:
    """Return the policies that these values of POLICIES are, as the database has them; the defaults
    if a value is not valid: the next heartbeat corrects the row."""
    found = Policies(**dict(zip(POLICIES, values, strict=True)))
    found = replace(found, isolated=bool(found.isolated))  # SQLite has 0 and 1
    try:
        found.validate()
    except DeclarationError:
        return replace(DEFAULTS, overlap=Overlap(found.overlap))
    return found
