"""How long runs of many jobs usually take: one query, however long the history."""

import json
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from scheduler_app.models import JobRun, bulk, database

RECENT = 20
"""How many of a job's last successes tell what is usual."""
_LAST = (
    "SELECT {columns} FROM {table} WHERE job_name = {name} AND finished_at IS NOT NULL "  # noqa: S608
    f"AND started_at IS NOT NULL AND state = 'success' ORDER BY finished_at DESC LIMIT {RECENT}"
)
_POSTGRES = (
    "SELECT last.* FROM unnest(%s::text[]) AS wanted(name) CROSS JOIN LATERAL ({last}) AS last"
)
_SQLITE = (
    "SELECT {columns} FROM json_each(%s) AS wanted CROSS JOIN {table} AS run "
    "WHERE run.id IN ({last})"
)


@dataclass(frozen=True, slots=True)
class Durations:
    """How long successes of a job took: half of them at most p50, 95 of 100 at most p95."""

    duration_p50: timedelta
    duration_p95: timedelta


def durations(names: Collection[str]) -> dict[str, Durations]:
    """Return this for those of the jobs that have succeeded."""
    spans = defaultdict[str, list[timedelta]](list)
    connection, table = database.connection(), JobRun._meta.db_table
    columns = "job_name, started_at, finished_at"
    values: Any
    if not names:
        return {}
    if connection.vendor == "sqlite":
        last = _LAST.format(columns="id", table=table, name="wanted.value")
        query, values = (
            _SQLITE.format(columns=columns, table=table, last=last),
            json.dumps([*names]),
        )
    else:
        last = _LAST.format(columns=columns, table=table, name="wanted.name")
        query, values = _POSTGRES.format(last=last), [*names]
    for name, began, ended in bulk.read(query, [values], connection, width=3, moments=(1, 2)):
        spans[name].append(ended - began)
    return {
        name: Durations(_share(found, 0.5), _share(found, 0.95)) for name, found in spans.items()
    }


def _share(spans: list[timedelta], quantile: float) -> timedelta:
    ordered = sorted(spans)
    return ordered[min(len(ordered) - 1, int(quantile * len(ordered)))]
