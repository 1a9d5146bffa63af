"""What the database has of each job, and in which respects its rows do not agree: with what is
declared, or with each other."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from scheduler_app.cron import Schedule
from scheduler_app.engine.releases import FIELDS, Declarations
from scheduler_app.models import Job, SchedulePeriod, bulk, timetable_rows

_SCHEDULE = tuple(FIELDS.index(name) for name in ("cron", "timezone", "jitter", "zone_rules"))


class StoredJob(NamedTuple):
    """A job's row."""

    values: tuple[Any, ...]
    """Of FIELDS."""
    is_paused: bool
    is_orphaned: bool

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

    def disagreeing(self, declared: Declarations) -> Iterator[str]:
        """Return the jobs whose rows are missing or differ, due moments of active jobs apart."""
        for name, values in declared.items():
            job = self.jobs.get(name)
            if (
                job is None
                or job.is_orphaned
                or job.values != tuple(map(values.get, FIELDS))
                or not self._is_consistent(name, job)
            ):
                yield name
        for name, job in self.jobs.items():
            if name not in declared and not self._is_consistent(name, job):
                yield name

    def _is_consistent(self, name: str, job: StoredJob) -> bool:
        if name not in self.dues or self.periods.get(name) != job.period:
            return False
        is_active = job.state == SchedulePeriod.State.ACTIVE
        return is_active or self.dues[name] is None


def look() -> Stored:
    """Read all jobs. The due moments are read before anything that accounts for them."""
    dues = dict(bulk.fetch(timetable_rows().order_by().values_list("id", "next_run_time")))
    jobs = Job.objects.order_by().values_list("name", *FIELDS, "paused_at", "orphaned_at")
    periods = SchedulePeriod.objects.open().order_by()
    columns = ("state", "cron", "timezone", "jitter", "zone_rules")
    return Stored(
        {name: _job(values) for name, *values in bulk.fetch(jobs)},
        dues,
        {
            name: tuple(values)
            for name, *values in bulk.fetch(periods.values_list("job_name", *columns))
        },
    )


def _job(columns: list[Any]) -> StoredJob:
    *values, paused_at, orphaned_at = columns
    return StoredJob(tuple(values), paused_at is not None, orphaned_at is not None)
