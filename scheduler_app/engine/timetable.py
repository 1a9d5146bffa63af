"""When each job is due next: django-apscheduler's DjangoJob rows.

The next_run_time column is the truth; a row without one does not fire. The pickled job_state is
written once and never read by the engine: it holds plain values and a reference to one function,
so that django-apscheduler can show the row and no deploy can make it unreadable."""

import pickle
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from apscheduler.job import Job as APSchedulerJob
from django_apscheduler.jobstores import DjangoJobStore
from django_apscheduler.models import DjangoJob

from scheduler_app.cron import CronTrigger
from scheduler_app.models import Job, bulk, database, timetable_rows

RUNNER = "scheduler_app.engine.runner:run_job"
"""The one function that every timetable row refers to."""


def known(names: Iterable[str]) -> set[str]:
    """Those of these jobs that have a row."""
    return set(timetable_rows().filter(id__in=list(names)).values_list("id", flat=True))


def add(dues: Mapping[str, datetime | None]) -> None:
    """Add rows for these jobs, and leave alone a row that another process was first to add."""
    rows = [
        DjangoJob(id=name, next_run_time=due_at, job_state=pickle.dumps(_state(name)))
        for name, due_at in dues.items()
    ]
    timetable_rows().bulk_create(rows, ignore_conflicts=True)


def next_due(excluding: Iterable[str] = ()) -> datetime | None:
    """The earliest due moment of all jobs but those named."""
    rows = bulk.fetch(_earliest(database.alias(), frozenset(excluding)))
    return rows[0][0] if rows else None


@lru_cache(maxsize=16)
def _earliest(alias: str, excluding: frozenset[str]) -> bulk.Compiled:
    entries = DjangoJob.objects.using(alias).filter(next_run_time__isnull=False)
    if excluding:
        entries = entries.exclude(id__in=excluding)
    return bulk.compiled(entries.order_by("next_run_time").values_list("next_run_time")[:1])


def lock_due(now: datetime, excluding: Iterable[str], limit: int) -> dict[str, datetime]:
    """Lock the rows of at most `limit` jobs that are due, the earliest first, but those that
    somebody else has locked: `{name: due moment}`."""
    rows = (
        timetable_rows()
        .select_for_update(skip_locked=True)
        .filter(next_run_time__lte=now)
        .exclude(id__in=list(excluding))
        .order_by("next_run_time", "id")
    )
    return dict(bulk.fetch(rows.values_list("id", "next_run_time")[:limit]))


def lock(names: Iterable[str]) -> None:
    """Lock these jobs' rows, waiting for whoever has them."""
    rows = timetable_rows().select_for_update().filter(id__in=list(names)).order_by("id")
    list(rows.values_list("id"))


def advance(next_dues: Mapping[str, datetime | None]) -> None:
    """Set the due moments of these (locked) jobs; jobs that share one share an UPDATE."""
    shared: dict[datetime | None, list[str]] = {}
    for name, due_at in next_dues.items():
        shared.setdefault(due_at, []).append(name)
    for due_at, names in shared.items():
        timetable_rows().filter(bulk.Among("id", names)).update(next_run_time=due_at)


def _state(name: str) -> dict[str, Any]:
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


class Timetable(DjangoJobStore):
    """The rows as an APScheduler job store, for APScheduler's own calls (`get_jobs`,
    `print_jobs`). Triggers come from our Job rows; a row that cannot be shown is left alone."""

    def register_event_listeners(self) -> None:
        """None: what django-apscheduler's listeners would record, the ledger records."""

    def get_due_jobs(self, now: datetime) -> list[APSchedulerJob]:
        return self._get_jobs(next_run_time__lte=now)

    def lookup_job(self, job_id: str) -> APSchedulerJob | None:
        return next(iter(self._get_jobs(id=job_id)), None)

    def _get_jobs(self, **filters: Any) -> list[APSchedulerJob]:
        dues = dict(timetable_rows().filter(**filters).values_list("id", "next_run_time"))
        return [self._restore(job, dues[job.name]) for job in Job.objects.filter(name__in=dues)]

    def _restore(self, job: Job, due_at: datetime | None) -> APSchedulerJob:
        restored = APSchedulerJob.__new__(APSchedulerJob)
        restored.__setstate__(
            _state(job.name) | {"trigger": CronTrigger(job.schedule), "next_run_time": due_at}
        )
        restored._scheduler, restored._jobstore_alias = self._scheduler, self._alias
        return restored

    def add_job(self, job: APSchedulerJob) -> None:
        raise TypeError(_DECLARE.format(job.id))

    update_job = add_job

    def remove_job(self, job_id: str) -> None:
        raise TypeError(_DECLARE.format(job_id))

    def remove_all_jobs(self) -> None:
        raise TypeError(_DECLARE.format("all jobs"))


_DECLARE = (
    "{}: jobs are declared with @job in an app's jobs.py and controlled through "
    "scheduler_app.control, not through APScheduler."
)
