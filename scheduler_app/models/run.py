"""The ledger: what became of every occurrence and of every request."""

from __future__ import annotations

from datetime import timedelta

from django.db import models
from django.utils import timezone

from scheduler_app.models.node import Node


class RunState(models.TextChoices):
    """QUEUED and RUNNING are passing; all others are final."""

    QUEUED = "queued", "queued"
    RUNNING = "running", "running"
    SUCCESS = "success", "success"
    FAILED = "failed", "failed"
    CANCELLED = "cancelled", "cancelled"
    LOST = "lost", "lost"
    SKIPPED = "skipped", "skipped"
    MISSED = "missed", "missed"


ACTIVE = (RunState.QUEUED, RunState.RUNNING)
_IS_ACTIVE = models.Q(state__in=ACTIVE)


class Trigger(models.TextChoices):
    """Why the run exists."""

    SCHEDULE = "schedule", "schedule"
    MANUAL = "manual", "on request"


class JobRunQuerySet(models.QuerySet["JobRun"]):
    def active(self) -> JobRunQuerySet:
        """Runs that have not ended: waiting or going."""
        return self.filter(_IS_ACTIVE)

    def queued(self) -> JobRunQuerySet:
        return self.filter(state=RunState.QUEUED)

    def running(self) -> JobRunQuerySet:
        return self.filter(state=RunState.RUNNING)

    def scheduled(self) -> JobRunQuerySet:
        """Runs of occurrences, as against requests."""
        return self.filter(trigger=Trigger.SCHEDULE)

    def unassigned(self) -> JobRunQuerySet:
        """Runs that wait for any node to take them."""
        return self.queued().filter(node=None)

    def assigned(self) -> JobRunQuerySet:
        """Runs that some node has taken and not ended."""
        return self.active().exclude(node=None)

    def finished(self) -> JobRunQuerySet:
        return self.exclude(finished_at=None)

    def executed(self) -> JobRunQuerySet:
        """Finished runs whose function was called (not skipped, not missed)."""
        return self.finished().exclude(started_at=None)


class JobRun(models.Model):
    """What became of one occurrence of a job's schedule, or of one request to run it.

    A MISSED or SKIPPED row may stand for several occurrences: `occurrences` of them, from
    `first_scheduled_for` to `scheduled_for`. The job's name is kept by value, so that history
    outlives the job."""

    job_name = models.CharField("job", max_length=100)
    trigger = models.CharField(max_length=10, choices=Trigger.choices, default=Trigger.SCHEDULE)
    scheduled_for = models.DateTimeField(
        help_text="The moment in the schedule; for a request, the moment of asking."
    )
    due_at = models.DateTimeField(help_text="scheduled_for plus this occurrence's jitter.")
    first_scheduled_for = models.DateTimeField(null=True, blank=True)
    occurrences = models.PositiveIntegerField(default=1)
    attempt = models.PositiveSmallIntegerField(default=1)
    requested_by = models.CharField(max_length=255, blank=True)

    state = models.CharField(
        "result", max_length=10, choices=RunState.choices, default=RunState.QUEUED
    )
    node = models.ForeignKey(
        Node, null=True, blank=True, on_delete=models.SET_NULL, db_index=False, related_name="runs"
    )
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    message = models.TextField(
        "error or reason",
        blank=True,
        help_text="The error of a failed run; why a run was skipped, missed, cancelled or lost.",
    )
    traceback = models.TextField(blank=True)
    metadata = models.JSONField(default=dict, blank=True)

    objects = JobRunQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        verbose_name = "run"
        constraints = (
            models.UniqueConstraint(
                fields=("job_name", "scheduled_for", "attempt"),
                condition=models.Q(trigger=Trigger.SCHEDULE),
                name="run_once_per_occurrence",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=RunState.values), name="run_state_is_known"
            ),
            models.CheckConstraint(
                condition=models.Q(_IS_ACTIVE, finished_at=None)
                | models.Q(~_IS_ACTIVE, finished_at__isnull=False),
                name="run_is_finished_iff_state_is_final",
            ),
        )
        indexes = (
            models.Index(fields=("job_name", "-finished_at"), name="run_last_outcome"),
            models.Index(
                fields=("job_name", "-finished_at"),
                condition=models.Q(started_at__isnull=False),
                name="run_last_executed",
            ),
            models.Index(fields=("job_name",), condition=_IS_ACTIVE, name="run_active"),
            models.Index(fields=("finished_at",), name="run_by_age"),
        )

    def __str__(self) -> str:
        return f"{self.job_name} #{self.pk}"

    @property
    def is_scheduled(self) -> bool:
        return self.trigger == Trigger.SCHEDULE

    @property
    def lateness(self) -> timedelta | None:
        """From the moment it was due to the start of its function; None if it never started."""
        return self.started_at - self.due_at if self.started_at else None

    @property
    def duration(self) -> timedelta | None:
        """From start to end; None until both are known."""
        return self.finished_at - self.started_at if self.started_at and self.finished_at else None
