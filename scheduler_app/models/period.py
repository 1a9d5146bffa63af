"""Which schedule held when: what the ledger is measured against."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from django.db import connections, models

from scheduler_app.cron import MAX_TEXT, MAX_ZONE, Schedule
from scheduler_app.models import bulk
from scheduler_app.models.job import Job
from scheduler_app.models.primary import PrimaryQuerySet
from scheduler_app.policies import MAX_NAME


class SchedulePeriodQuerySet(PrimaryQuerySet["SchedulePeriod"]):
    def open(self) -> SchedulePeriodQuerySet:
        """Return the periods that have not ended: one for each job."""
        return self.filter(ends_at=None)

    def job_names(self) -> models.QuerySet[SchedulePeriod, str]:
        """Return the names of their jobs, each once."""
        return self.order_by("job_name").values_list("job_name", flat=True).distinct()

    def begin(
        self, jobs: Iterable[Job], state: str, moments: Mapping[str, datetime], reason: str
    ) -> None:
        """End these jobs' open periods, each at its moment, and open the next there. Call it in a
        transaction that holds the jobs' timetable rows."""
        jobs = list(jobs)
        ending = list(self.open().filter(bulk.AnyOf("job_name", [job.name for job in jobs])))
        for period in ending:
            period.ends_at = moments[period.job_name]
        bulk.update(ending, ["ends_at"], connections[self.db])
        self.bulk_create(
            SchedulePeriod(
                job_name=job.name,
                cron=job.cron,
                timezone=job.timezone,
                jitter=job.jitter,
                zone_rules=job.zone_rules,
                state=state,
                begins_at=moments[job.name],
                reason=reason,
            )
            for job in jobs
        )


class SchedulePeriod(models.Model):
    """From when to when a job had this schedule, and whether it fired by it.

    An occurrence belongs to the period with `begins_at` < `due_at` <= `ends_at`. The job's name is
    kept by value, like the ledger's."""

    class State(models.TextChoices):
        ACTIVE = "active", "active"
        PAUSED = "paused", "paused"
        ORPHANED = "orphaned", "orphaned"

    job_name = models.CharField("job", max_length=MAX_NAME)
    cron = models.CharField("schedule", max_length=MAX_TEXT)
    timezone = models.CharField("time zone", max_length=MAX_ZONE)
    jitter = models.PositiveIntegerField(default=0, help_text="Seconds.")
    zone_rules = models.CharField(max_length=16, blank=True)
    state = models.CharField(max_length=10, choices=State.choices)
    begins_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)
    reason = models.TextField(blank=True)

    objects = SchedulePeriodQuerySet.as_manager()

    class Meta:
        ordering = ("job_name", "id")
        constraints = (
            models.UniqueConstraint(
                fields=("job_name",),
                condition=models.Q(ends_at=None),
                name="job_has_one_open_period",
            ),
            models.CheckConstraint(
                condition=models.Q(ends_at=None) | models.Q(ends_at__gte=models.F("begins_at")),
                name="period_ends_after_it_begins",
            ),
        )
        indexes = (models.Index(fields=("job_name", "begins_at"), name="period_by_job"),)

    def __str__(self) -> str:
        return f"{self.job_name}: {self.state} from {self.begins_at}"

    @property
    def schedule(self) -> Schedule:
        return Schedule(self.cron, self.timezone, self.jitter, self.job_name)
