"""Everything that depends on APScheduler, except the clock itself: a trigger, a job store and an
executor, so that its own calls (`get_jobs`, `print_jobs`) see our jobs."""

from datetime import datetime
from typing import Any

from apscheduler.executors.base import BaseExecutor
from apscheduler.job import Job as APSchedulerJob
from apscheduler.triggers.base import BaseTrigger
from django_apscheduler.jobstores import DjangoJobStore

from scheduler_app.cron import Schedule, Uncomputable
from scheduler_app.ledger import timetable
from scheduler_app.models import Job, name_of, row_id, timetable_rows


class CronTrigger(BaseTrigger):
    """A Schedule as APScheduler asks for it."""

    __slots__ = ("schedule",)

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule

    def get_next_fire_time(
        self, previous_fire_time: datetime | None, now: datetime
    ) -> datetime | None:
        """Return when the job is due next: after its previous time, or after now if it has none."""
        fires = self.schedule.compute()
        if isinstance(fires, Uncomputable):
            return None
        fire = fires.next(previous_fire_time or now)
        return fire.due_at if fire else None

    def __getstate__(self) -> dict[str, Any]:
        return {"version": 1, "schedule": self.schedule}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.schedule = state["schedule"]

    def __str__(self) -> str:
        return f"cron[{self.schedule.expression!r}, {self.schedule.timezone}]"

    def __repr__(self) -> str:
        return f"<CronTrigger ({self.schedule!r})>"


class Timetable(DjangoJobStore):
    """The rows as an APScheduler job store, for APScheduler's own calls (`get_jobs`,
    `print_jobs`). Triggers come from our Job rows; a row that cannot be shown is left alone."""

    def register_event_listeners(self) -> None:
        """Register none: the ledger records what django-apscheduler's listeners would."""

    def get_due_jobs(self, now: datetime) -> list[APSchedulerJob]:
        return self._get_jobs(next_run_time__lte=now)

    def get_next_run_time(self) -> datetime | None:
        return timetable.next_due()

    def lookup_job(self, job_id: str) -> APSchedulerJob | None:
        return next(iter(self._get_jobs(id=row_id(job_id))), None)

    def _get_jobs(self, **filters: Any) -> list[APSchedulerJob]:
        rows = timetable_rows().filter(**filters).values_list("id", "next_run_time")
        dues = {name_of(row): due_at for row, due_at in rows}
        return [self._restore(job, dues[job.name]) for job in Job.objects.filter(name__in=dues)]

    def _restore(self, job: Job, due_at: datetime | None) -> APSchedulerJob:
        restored = APSchedulerJob.__new__(APSchedulerJob)
        restored.__setstate__(
            timetable.state(job.name)
            | {"trigger": CronTrigger(job.schedule), "next_run_time": due_at}
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


class NoExecutor(BaseExecutor):
    """Runs are handed over by the tick; APScheduler's own jobs are not run."""

    def _do_submit_job(self, job: object, run_times: object) -> None:
        raise TypeError("Runs are handed over by the tick; APScheduler's own jobs are not run.")
