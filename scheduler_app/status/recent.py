"""What became of the last occurrences of many jobs, for strips and comparisons: one query, however
long the history."""

import json
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from scheduler_app.models import JobRun, RunState, bulk, database

NUMBER = 20
"""How many results of a job make its strip."""

COLUMNS = "id, job_name, state, scheduled_for, due_at, started_at, finished_at"
MOMENTS = (3, 4, 5, 6)
WIDTH = 7
ENDED = "SELECT {columns} FROM {table} WHERE job_name = {name} AND finished_at IS NOT NULL"
LAST = f"{ENDED} ORDER BY finished_at DESC LIMIT {{number}}"
POSTGRES = (
    "SELECT last.* FROM unnest(%s::text[]) AS wanted(name) CROSS JOIN LATERAL ({last}) AS last"
)
SQLITE = (
    "SELECT {columns} FROM json_each(%s) AS wanted CROSS JOIN {table} AS run "
    "WHERE run.id IN ({last})"
)


@dataclass(frozen=True, slots=True)
class RecentRun:
    """One thing that the ledger says of a job, without its words. All moments are in UTC."""

    id: int
    job_name: str
    state: RunState
    scheduled_for: datetime
    due_at: datetime
    started_at: datetime | None
    finished_at: datetime

    @property
    def duration(self) -> timedelta | None:
        return self.finished_at - self.started_at if self.started_at else None

    @property
    def lateness(self) -> timedelta | None:
        return self.started_at - self.due_at if self.started_at else None


def recent(run: JobRun) -> RecentRun:
    """Return this of a run that has ended."""
    return RecentRun(
        id=run.pk,
        job_name=run.job_name,
        state=RunState(run.state),
        scheduled_for=run.scheduled_for,
        due_at=run.due_at,
        started_at=run.started_at,
        finished_at=run.finished_at or run.due_at,
    )


def recent_runs(names: Collection[str], number: int = NUMBER) -> dict[str, list[RecentRun]]:
    """Return the last results of each of these jobs, whatever they are, the oldest first."""
    found = defaultdict[str, list[RecentRun]](list)
    if names:
        rows = [RecentRun(*row) for row in _rows(list(names), number)]
        for run in sorted(rows, key=lambda run: (run.finished_at, run.id)):
            found[run.job_name].append(run)
    return found


def _rows(names: list[str], number: int) -> list[tuple[Any, ...]]:
    connection, table = database.connection(), JobRun._meta.db_table
    values: Any = names
    if connection.vendor == "sqlite":
        values = json.dumps(names)
        last = LAST.format(columns="id", table=table, name="wanted.value", number=number)
        columns = ", ".join(f"run.{column}" for column in COLUMNS.split(", "))
        query = SQLITE.format(columns=columns, table=table, last=last)
    else:
        last = LAST.format(columns=COLUMNS, table=table, name="wanted.name", number=number)
        query = POSTGRES.format(last=last)
    rows = bulk.read(query, [values], connection, width=WIDTH, moments=MOMENTS)
    return [(pk, name, RunState(state), *rest) for pk, name, state, *rest in rows]
