"""Requests of the API that are not to be carried out twice."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import models
from django.utils import timezone

from scheduler_app.models.primary import PrimaryQuerySet

KEPT_FOR = timedelta(days=1)
ID_LIMIT = 100
"""Characters of a request's id."""
PRUNED_AT_ONCE = 1_000


class RequestQuerySet(PrimaryQuerySet["Request"]):
    def prune(self, now: datetime) -> None:
        """Delete those that are older than a day, a thousand at most."""
        old = self.filter(at__lt=now - KEPT_FOR).order_by("pk").values_list("pk", flat=True)
        self.filter(pk__in=list(old[:PRUNED_AT_ONCE])).delete()


class Request(models.Model):
    """One request with an id, and the answer that it got. Written in the transaction of the
    action."""

    caller = models.CharField(max_length=255)
    request_id = models.CharField(max_length=ID_LIMIT)
    digest = models.CharField(max_length=64, help_text="Of the call and its message.")
    answer = models.BinaryField(default=b"")
    at = models.DateTimeField(default=timezone.now)

    objects = RequestQuerySet.as_manager()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("caller", "request_id"), name="request_once"),
        )
        indexes = (models.Index(fields=("at",), name="request_by_age"),)

    def __str__(self) -> str:
        return self.request_id
