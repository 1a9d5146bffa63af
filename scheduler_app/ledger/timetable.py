"""When each job is due next: rows of django-apscheduler's DjangoJob, whose ids bear a prefix.

The next_run_time column is authoritative; a row without a value there does not fire. The pickled
job_state is written once and never read by the engine: it holds plain values and a reference to one
function, so that django-apscheduler can show the row and no deploy can make it unreadable."""

import pickle
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar

from django_apscheduler.models import DjangoJob

from scheduler_app.models import bulk, database, name_of, row_id, row_ids, timetable_rows
from scheduler_app.models.primary import PrimaryQuerySet

D = TypeVar("D", datetime, datetime | None)

RUNNER = "scheduler_app.execution.runner:run_job"
"""The one function that every timetable row refers to."""


def known(names: Iterable[str]) -> set[str]:
    """Return the names of those of these jobs that have a row."""
    return set(dues(names))


def dues(names: Iterable[str]) -> dict[str, datetime | None]:
    """Return the due moments of those of these jobs that have a row."""
    rows = timetable_rows().filter(bulk.AnyOf("id", row_ids(names))).order_by()
    return _by_name(bulk.fetch(rows.values_list("id", "next_run_time")))


def add(dues: Mapping[str, datetime | None]) -> None:
    """Add rows for these jobs, and leave alone a row that another process was first to add."""
    rows = [
        DjangoJob(id=row_id(name), next_run_time=due_at, job_state=pickle.dumps(state(name)))
        for name, due_at in dues.items()
    ]
    timetable_rows().bulk_create(rows, ignore_conflicts=True)


def next_due(excluding: Iterable[str] = ()) -> datetime | None:
    """Return the earliest due moment of all jobs except those named."""
    rows = bulk.fetch(_earliest(database.alias(), frozenset(excluding)))
    return rows[0][0] if rows else None


@lru_cache(maxsize=16)
def _earliest(alias: str, excluding: frozenset[str]) -> bulk.Compiled:
    entries = timetable_rows().using(alias).filter(next_run_time__isnull=False)
    if excluding:
        entries = entries.exclude(id__in=row_ids(excluding))
    return bulk.compiled(entries.order_by("next_run_time").values_list("next_run_time")[:1])


def lock_due(
    now: datetime, excluding: Iterable[str], limit: int, *, among: Iterable[str] | None = None
) -> dict[str, datetime]:
    """Lock the rows of at most `limit` jobs (of those named, if any are) that are due, the earliest
    first, and skip those that other transactions hold. Return `{name: due moment}`."""
    rows = _due(now, excluding).select_for_update(skip_locked=True)
    if among is not None:
        rows = rows.filter(bulk.AnyOf("id", row_ids(among)))
    return _by_name(bulk.fetch(rows.values_list("id", "next_run_time")[:limit]))


def due(now: datetime, excluding: Iterable[str], limit: int) -> list[str]:
    """Return the jobs that are due, the earliest first, including those that others have locked."""
    return [name_of(row) for (row,) in bulk.fetch(_due(now, excluding).values_list("id")[:limit])]


def _due(now: datetime, excluding: Iterable[str]) -> PrimaryQuerySet[DjangoJob]:
    rows = timetable_rows().filter(next_run_time__lte=now).exclude(id__in=row_ids(excluding))
    return rows.order_by("next_run_time", "id")


def lock(names: Iterable[str]) -> None:
    """Lock these jobs' rows, in the order of their names, waiting for those that others hold."""
    rows = timetable_rows().select_for_update().filter(bulk.AnyOf("id", row_ids(names)))
    list(rows.order_by("id").values_list("id"))


def try_lock(names: Iterable[str]) -> set[str]:
    """Lock those of these jobs' rows that no other transaction holds; return their names."""
    ids = bulk.AnyOf("id", row_ids(names))
    rows = timetable_rows().select_for_update(skip_locked=True).filter(ids).order_by("id")
    return set(map(name_of, rows.values_list("id", flat=True)))


def advance(next_dues: Mapping[str, datetime | None]) -> None:
    """Set the due moments of these (locked) jobs, with one statement."""
    if next_dues:
        blank = DjangoJob()
        rows = [
            bulk.like(blank, id=row_id(name), next_run_time=due_at)
            for name, due_at in next_dues.items()
        ]
        bulk.update(rows, ["next_run_time"], database.connection())


def delete(name: str) -> None:
    """Delete the (locked) row of a job that is deleted."""
    timetable_rows().filter(id=row_id(name)).delete()


def _by_name(rows: Iterable[tuple[str, D]]) -> dict[str, D]:
    return {name_of(row): due_at for row, due_at in rows}


def state(name: str) -> dict[str, Any]:
    """Return the job as APScheduler pickles it."""
    return {
        "version": 1,
        "id": name,
        "func": RUNNER,
        "trigger": None,
        "executor": "default",
        "args": (name,),
        "kwargs": {},
        "name": name,
        "misfire_grace_time": None,
        "coalesce": True,
        "max_instances": 1,
        "next_run_time": None,
    }
