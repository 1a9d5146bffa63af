"""What the database has of each job, and in which respects its rows do not agree: with what is
declared, or with each other."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from django.db.models import QuerySet

from scheduler_app.cron import Schedule
from scheduler_app.engine.releases import FIELDS
from scheduler_app.models import Job, SchedulePeriod, bulk, database, name_of, timetable_rows
from scheduler_app.models.override import effective

Rows = QuerySet[Any, tuple[Any, ...]]
_SCHEDULE = tuple(FIELDS.index(name) for name in ("cron", "timezone", "jitter", "zone_rules"))


class StoredJob(NamedTuple):
    """A job's row."""

    values: tuple[Any, ...]
    """Of FIELDS."""
    is_paused: bool
    is_orphaned: bool
    overrides: str
    declared: str

    def agrees_with(self, values: tuple[Any, ...]) -> bool:
        """Return whether the row is as these values of FIELDS declare, but for what people have
        set."""
        if not self.overrides:
            return self.values == values and not self.declared
        wanted = effective(dict(zip(FIELDS, values, strict=True)), self.overrides)
        return self.values == tuple(map(wanted.get, FIELDS)) and (
            self.declared == wanted["declared"]
        )

    @property
    def state(self) -> str:
        if self.is_orphaned:
            return SchedulePeriod.State.ORPHANED
        return SchedulePeriod.State.PAUSED if self.is_paused else SchedulePeriod.State.ACTIVE

    @property
    def period(self) -> tuple[Any, ...]:
        """Return what its open period should hold."""
        return (self.state, *(self.values[index] for index in _SCHEDULE))

    def schedule(self, name: str) -> Schedule:
        cron, timezone, jitter, _ = (self.values[index] for index in _SCHEDULE)
        return Schedule(cron, timezone, jitter, name)


@dataclass(frozen=True, slots=True)
class Stored:
    """All jobs, their due moments and their open periods."""

    jobs: dict[str, StoredJob]
    dues: dict[str, datetime | None]
    periods: dict[str, tuple[Any, ...]]

    def disagreeing(self, wanted: Mapping[str, tuple[Any, ...]]) -> Iterator[str]:
        """Return the jobs whose rows are missing or differ, due moments of active jobs apart.
        `wanted`: the declared values of FIELDS, by the names of the jobs."""
        for name, values in wanted.items():
            job = self.jobs.get(name)
            if (
                job is None
                or job.is_orphaned
                or not job.agrees_with(values)
                or not self._is_consistent(name, job)
            ):
                yield name
        for name, job in self.jobs.items():
            if name not in wanted and not self._is_consistent(name, job):
                yield name

    def _is_consistent(self, name: str, job: StoredJob) -> bool:
        if name not in self.dues or self.periods.get(name) != job.period:
            return False
        is_active = job.state == SchedulePeriod.State.ACTIVE
        return is_active or self.dues[name] is None


def signatures() -> tuple[str, str, str]:
    """Return what tells whether jobs, open periods and due moments are as they were before."""
    jobs, periods, dues = map(bulk.signature, _compiled(database.alias()))
    return jobs, periods, dues


@lru_cache(maxsize=16)
def _compiled(alias: str) -> tuple[bulk.Compiled, ...]:
    return tuple(bulk.compiled(rows.using(alias)) for rows in (_jobs(), _periods(), _dues()))


def look() -> Stored:
    """Read all jobs. The due moments are read before anything that accounts for them."""
    dues = _due_moments()
    jobs = {name: _job(values) for name, *values in bulk.fetch(_jobs())}
    periods = {name: tuple(values) for name, *values in bulk.fetch(_periods())}
    return Stored(jobs, dues, periods)


def look_again(before: Stored) -> Stored:
    """Read the due moments of jobs that have not changed."""
    return replace(before, dues=_due_moments())


def _due_moments() -> dict[str, datetime | None]:
    return {name_of(row): due_at for row, due_at in bulk.fetch(_dues())}


def _dues() -> Rows:
    return timetable_rows().order_by().values_list("id", "next_run_time")


def _jobs() -> Rows:
    columns = ("paused_at", "orphaned_at", "overrides", "declared")
    return Job.objects.order_by().values_list("name", *FIELDS, *columns)


def _periods() -> Rows:
    columns = ("state", "cron", "timezone", "jitter", "zone_rules")
    return SchedulePeriod.objects.open().order_by().values_list("job_name", *columns)


def _job(columns: list[Any]) -> StoredJob:
    *values, paused_at, orphaned_at, overrides, declared = columns
    return StoredJob(
        tuple(values), paused_at is not None, orphaned_at is not None, overrides, declared
    )
