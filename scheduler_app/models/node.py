"""A scheduler process, as the others see it."""

from __future__ import annotations

from datetime import timedelta

from django.db import models
from django.db.models.functions import Now

from scheduler_app.conf import scheduler_settings


class NodeQuerySet(models.QuerySet["Node"]):
    """Freshness is judged by the database's clock alone, so that machines need not agree. When that
    clock is put forward or back all nodes look dead until they have beaten anew: before you act,
    ask whether it was."""

    def alive(self) -> NodeQuerySet:
        """Nodes that have neither stopped nor been silent for too long."""
        return self._unstopped().filter(self._fresh())

    def dead(self) -> NodeQuerySet:
        """Nodes that never said goodbye and have been silent for too long."""
        return self._unstopped().exclude(self._fresh())

    def freshness(self) -> dict[int, bool]:
        """The nodes that have not said goodbye, and whether each is alive."""
        is_fresh = models.ExpressionWrapper(self._fresh(), models.BooleanField())
        return dict(self._unstopped().annotate(is_fresh=is_fresh).values_list("pk", "is_fresh"))

    def newest(self) -> int | None:
        """The id of the node that was the last to start, be it alive or not."""
        newest: int | None = self.aggregate(newest=models.Max("pk"))["newest"]
        return newest

    def beat(self) -> bool:
        """Say that this one node is alive. False: it has been given up for dead meanwhile."""
        return self._unstopped().update(heartbeat_at=Now()) == 1

    def close(self) -> bool:
        """Mark this one node as stopped. False: somebody else has done so already."""
        return self._unstopped().update(stopped_at=Now()) == 1

    def _unstopped(self) -> NodeQuerySet:
        return self.filter(stopped_at=None)

    @staticmethod
    def _fresh() -> models.Q:
        """Neither old, nor of a time that is to come because the clock was put back since."""
        limit = timedelta(seconds=scheduler_settings().dead_after)
        return models.Q(heartbeat_at__gte=Now() - limit, heartbeat_at__lte=Now() + limit)


class Node(models.Model):
    """One life of one scheduler process. A restart is a new node."""

    name = models.CharField(max_length=255, help_text="Host name and process id.")
    declares = models.JSONField(default=list, help_text="The names of the jobs in its code.")
    started_at = models.DateTimeField(db_default=Now())
    heartbeat_at = models.DateTimeField(db_default=Now())
    stopped_at = models.DateTimeField(null=True, blank=True)

    objects = NodeQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)

    def __str__(self) -> str:
        return self.name
