"""What lets a program call the API in the name of a user."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.utils import timezone

from scheduler_app.models.primary import PrimaryQuerySet


class Scope(models.TextChoices):
    """What a token may be used for, as far as its user may do it."""

    VIEW = "view", "see jobs, runs, nodes and the audit log"
    CONTROL = "control", "pause and resume jobs"
    EDIT = "edit", "change schedules and policies"
    RUN = "run", "run jobs, run again, cancel runs"


class TokenQuerySet(PrimaryQuerySet["Token"]):
    def valid(self, now: datetime) -> TokenQuerySet:
        """Return those that are neither revoked nor expired."""
        is_over = models.Q(expires_at__lte=now) | models.Q(revoked_at__isnull=False)
        return self.exclude(is_over)


class Token(models.Model):
    """A token of the API. Its text, `sched_<public id>_<secret>`, is shown once; only a digest of
    the secret is kept.

    The user is known by primary key, as text: the project may have its users in another
    database."""

    public_id = models.CharField(max_length=16, unique=True)
    digest = models.CharField(max_length=64, help_text="SHA-256 of the secret.")
    name = models.CharField(max_length=100, blank=True, help_text="What it is for.")
    user_id = models.CharField("user", max_length=255)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True, blank=True)
    used_at = models.DateTimeField(null=True, blank=True, help_text="Within a minute or so.")
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = TokenQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{self.public_id} {self.name}".strip()
