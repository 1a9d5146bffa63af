"""Who did what to a job."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.utils import timezone

from scheduler_app.models.primary import PrimaryQuerySet
from scheduler_app.policies import MAX_NAME

NAME_LIMIT = 255
"""Characters of an actor's name that are kept."""


class Surface(models.TextChoices):
    """The surface on which a person acted."""

    ADMIN = "admin", "admin"
    CLI = "cli", "command line"
    GRPC = "grpc", "gRPC"
    CODE = "code", "Python code"


class AuditEntryQuerySet(PrimaryQuerySet["AuditEntry"]):
    def older_than(self, moment: datetime) -> AuditEntryQuerySet:
        return self.filter(at__lt=moment)


class AuditEntry(models.Model):
    """One action of one person on one job. Written in the transaction of the action itself."""

    class Action(models.TextChoices):
        PAUSE = "pause", "pause"
        RESUME = "resume", "resume"
        ADD = "add", "add a job"
        DELETE = "delete", "delete a job"
        EDIT = "edit", "change the schedule"
        TRIGGER = "trigger", "run now"
        BACKFILL = "backfill", "run a period"
        RETRY = "retry", "run again"
        CANCEL = "cancel", "cancel a run"
        CREATE_TOKEN = "new token", "create a token"
        REVOKE_TOKEN = "no token", "revoke a token"

    at = models.DateTimeField(default=timezone.now)
    actor = models.CharField(max_length=NAME_LIMIT)
    surface = models.CharField(max_length=10, choices=Surface.choices)
    action = models.CharField(max_length=10, choices=Action.choices)
    job_name = models.CharField(max_length=MAX_NAME)
    reason = models.TextField(blank=True)
    changed = models.BooleanField(help_text="False: the job was in that state already.")

    objects = AuditEntryQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        verbose_name_plural = "audit entries"
        indexes = (
            models.Index(fields=("job_name", "-id"), name="audit_by_job"),
            models.Index(fields=("at",), name="audit_by_age"),
        )

    def __str__(self) -> str:
        return f"{self.actor}: {self.action} {self.job_name}"
