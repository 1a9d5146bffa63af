"""A scheduler process, as the others see it."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from typing import NamedTuple

from django.db import models
from django.db.models.functions import Now

from scheduler_app.conf import scheduler_settings
from scheduler_app.models import bulk
from scheduler_app.models.primary import PrimaryQuerySet


class LivenessSnapshot(NamedTuple):
    """The ids of the nodes that have not said goodbye."""

    newest: int | None
    """Of all nodes, the one that was the last to start; None if no node is left."""
    alive: frozenset[int]
    dead: frozenset[int]


class NodeQuerySet(PrimaryQuerySet["Node"]):
    """Freshness is judged by the database's clock alone, so that machines need not agree. When that
    clock is put forward or back all nodes look dead until they have beaten anew: before you act,
    ask whether it was."""

    def alive(self) -> NodeQuerySet:
        """Nodes that have neither stopped nor been silent for too long."""
        return self._unstopped().filter(self._fresh())

    def dead(self) -> NodeQuerySet:
        """Nodes that never said goodbye and have been silent for too long."""
        return self._unstopped().exclude(self._fresh())

    def liveness(self) -> LivenessSnapshot:
        """All that one node wants to know of the others every second; of all nodes, whatever this
        QuerySet is narrowed down to."""
        rows = bulk.fetch(_liveness(self.db, scheduler_settings().dead_after))
        return LivenessSnapshot(
            newest=rows[0][2] if rows else None,
            alive=frozenset(pk for pk, is_fresh, _ in rows if is_fresh),
            dead=frozenset(pk for pk, is_fresh, _ in rows if not is_fresh),
        )

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
        return _is_fresh(scheduler_settings().dead_after)


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
        base_manager_name = "objects"  # foreign keys are followed on the primary, too

    def __str__(self) -> str:
        return self.name


def _is_fresh(dead_after: float) -> models.Q:
    """Neither old, nor of a time that is to come because the clock was put back since."""
    limit = timedelta(seconds=dead_after)
    return models.Q(heartbeat_at__gte=Now() - limit, heartbeat_at__lte=Now() + limit)


@lru_cache
def _liveness(alias: str, dead_after: float) -> bulk.Compiled:
    is_fresh = models.ExpressionWrapper(_is_fresh(dead_after), models.BooleanField())
    newest = models.Subquery(Node.objects.order_by("-pk").values("pk")[:1])
    nodes = Node.objects.using(alias)._unstopped().order_by()
    return bulk.compiled(nodes.values_list("pk", is_fresh, newest))
