"""A scheduler process, as the others see it."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from django.db import models
from django.db.models.functions import Coalesce, Now

from scheduler_app.conf import scheduler_settings
from scheduler_app.models import bulk
from scheduler_app.models.heartbeat import Heartbeat
from scheduler_app.models.primary import PrimaryQuerySet


class LivenessSnapshot(NamedTuple):
    """The ids of the nodes that are not marked as stopped."""

    newest: int | None
    """Of all nodes, the one that was the last to start; None if no node is left."""
    alive: frozenset[int]
    dead: frozenset[int]


class NodeQuerySet(PrimaryQuerySet["Node"]):
    """Freshness is judged by the database's clock alone, so that machines need not agree. When that
    clock is put forward or back all nodes seem dead until their next heartbeat: check for that
    before you act."""

    def alive(self) -> NodeQuerySet:
        """Return nodes that have neither stopped nor been silent for too long."""
        return self.unstopped().with_heartbeat().filter(is_fresh())

    def dead(self) -> NodeQuerySet:
        """Return nodes that are not marked as stopped and have been silent for too long."""
        return self.unstopped().with_heartbeat().exclude(is_fresh())

    def with_heartbeat(self) -> NodeQuerySet:
        """Annotate each with `heartbeat_at`: its last heartbeat, or else its start."""
        last = Heartbeat.objects.filter(node=models.OuterRef("pk")).newest().values("at")
        return self.annotate(heartbeat_at=Coalesce(models.Subquery(last[:1]), "started_at"))

    def with_last_problem(self) -> NodeQuerySet:
        """Annotate each with `last_problem`, why it did not work, and `last_problem_at`; None if it
        always has."""
        said = Heartbeat.objects.filter(node=models.OuterRef("pk")).newest().with_problem()
        return self.annotate(
            last_problem=models.Subquery(said.values("problem")[:1]),
            last_problem_at=models.Subquery(said.values("at")[:1]),
        )

    def with_number_declared(self) -> NodeQuerySet:
        """Annotate each with `declared`, the number of jobs in its code."""
        return self.annotate(declared=_Length("declares"))

    def lives(self, now: datetime) -> models.QuerySet[Any]:
        """Annotate each with `alive_to`, the moment up to which it was alive. One that died was
        alive when it was last heard of; others marked it as stopped later."""
        silence = timedelta(seconds=scheduler_settings().dead_after)
        stopped_itself = models.When(
            stopped_at__lt=models.F("heartbeat_at") + silence, then=models.F("stopped_at")
        )
        lives_on = models.When(
            stopped_at=None, heartbeat_at__gte=now - silence, then=models.Value(now)
        )
        end = models.Case(stopped_itself, lives_on, default=models.F("heartbeat_at"))
        return self.with_heartbeat().annotate(alive_to=end)

    def liveness(self) -> LivenessSnapshot:
        """Return what a node wants to know of the others every second: of all nodes, whatever this
        QuerySet is filtered by."""
        rows = bulk.fetch(_liveness(self.db, scheduler_settings().dead_after))
        return LivenessSnapshot(
            newest=rows[0][2] if rows else None,
            alive=frozenset(pk for pk, fresh, _ in rows if fresh),
            dead=frozenset(pk for pk, fresh, _ in rows if not fresh),
        )

    def close(self) -> bool:
        """Mark this one node as stopped. Return False if that has been done already."""
        return self.unstopped().update(stopped_at=Now()) == 1

    def unstopped(self) -> NodeQuerySet:
        """Return nodes that are not marked as stopped, alive or dead."""
        return self.filter(stopped_at=None)


class Node(models.Model):
    """One life of one scheduler process. A restart is a new node."""

    name = models.CharField(max_length=255, help_text="Host name and process id.")
    declares = models.JSONField(default=list, help_text="The names of the jobs in its code.")
    offers = models.JSONField(
        default=list, help_text="The names of the added jobs that its code can run."
    )
    release = models.CharField(
        max_length=32, blank=True, help_text="The digest of all that its code declares."
    )
    version = models.CharField(max_length=32, blank=True, help_text="Of this package.")
    slots = models.PositiveIntegerField(
        null=True, blank=True, help_text="How many runs it carries out at a time."
    )
    started_at = models.DateTimeField(db_default=Now())
    stopped_at = models.DateTimeField(null=True, blank=True)

    objects = NodeQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        base_manager_name = "objects"  # foreign keys are followed on the primary, too

    def __str__(self) -> str:
        return self.name


class _Length(models.Func):
    """The length of a list in JSON; 0 of anything else."""

    function = "json_array_length"
    output_field = models.IntegerField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = (
            "CASE jsonb_typeof(%(expressions)s) WHEN 'array' "
            "THEN jsonb_array_length(%(expressions)s) ELSE 0 END"
        )
        return self.as_sql(compiler, connection, template=template, **context)


def is_fresh() -> models.Q:
    """Return the condition on `heartbeat_at` of a node that is not silent for too long: neither
    old, nor of a time that is to come because the clock was put back since."""
    limit = timedelta(seconds=scheduler_settings().dead_after)
    return models.Q(heartbeat_at__gte=Now() - limit, heartbeat_at__lte=Now() + limit)


@lru_cache
def _liveness(alias: str, dead_after: float) -> bulk.Compiled:
    fresh = models.ExpressionWrapper(is_fresh(), models.BooleanField())
    newest = models.Subquery(Node.objects.order_by("-pk").values("pk")[:1])
    nodes = Node.objects.using(alias).unstopped().with_heartbeat().order_by()
    return bulk.compiled(nodes.values_list("pk", fresh, newest))
