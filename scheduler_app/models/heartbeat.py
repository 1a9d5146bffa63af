"""What a scheduler repeats about itself: that it is alive, and whether it works."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.functions import Coalesce, Now

from scheduler_app.models.primary import PrimaryQuerySet
from scheduler_app.text import storable

PROBLEM_LIMIT = 2_000
STOPPING = "it is stopping"
"""What a scheduler says that stops as it should: no fault."""
NOW = {"postgresql": "clock_timestamp()", "sqlite": "STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'NOW')"}
"""The moment at which the row is written, not that at which its transaction began to wait."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a heartbeat says. All moments are in UTC."""

    claimed_at: datetime | None = None
    recorded_at: datetime | None = None
    executed_at: datetime | None = None
    problem: str = ""
    problem_since: datetime | None = None


class HeartbeatQuerySet(PrimaryQuerySet["Heartbeat"]):
    """Rows are inserted and deleted, never updated: no row that a person locks delays a beat."""

    def newest(self) -> HeartbeatQuerySet:
        """Order the last first. Their order is that of their ids: clocks may be put back."""
        return self.order_by("-pk")

    def beat(self, node_id: int, report: Report) -> bool:
        """Insert a heartbeat of this node. Return False if the node has been closed."""
        connection = connections[self.db]
        with connection.cursor() as cursor:
            cursor.execute(*insertion(node_id, report, connection))
            return bool(cursor.rowcount == 1)

    def with_problem(self) -> HeartbeatQuerySet:
        """Return heartbeats that say that their scheduler does not work."""
        return self.exclude(problem__in=("", STOPPING))

    def superseded(self) -> HeartbeatQuerySet:
        """Return the heartbeats that later ones of their node have replaced; not the last one that
        tells a problem."""
        of_node = Heartbeat.objects.filter(node=models.OuterRef("node")).newest()
        last_problem = models.Subquery(of_node.with_problem().values("pk")[:1])
        replaced = self.filter(pk__lt=models.Subquery(of_node.values("pk")[KEPT - 1 : KEPT]))
        return replaced.exclude(pk=Coalesce(last_problem, 0))

    def prune(self, limit: int = 1_000) -> int:
        """Delete superseded heartbeats that no other transaction has locked."""
        free = self.superseded().order_by("pk").select_for_update(skip_locked=True)
        deleted, _ = self.filter(pk__in=list(free.values_list("pk", flat=True)[:limit])).delete()
        return deleted


KEPT = 3
"""How many heartbeats of each node are kept."""


class Heartbeat(models.Model):
    """One sign of life of one scheduler, with what it says of its work."""

    node = models.ForeignKey(
        "scheduler_app.Node",
        on_delete=models.CASCADE,
        related_name="heartbeats",
        # The check of a constraint would wait for a node's row that a person has locked.
        db_constraint=False,
        db_index=False,
    )
    at = models.DateTimeField(db_default=Now())
    claimed_at = models.DateTimeField(
        null=True, help_text="When it last completed a look for due jobs."
    )
    recorded_at = models.DateTimeField(
        null=True, help_text="When it last recorded outcomes, or had none to record."
    )
    executed_at = models.DateTimeField(
        null=True, help_text="When all runs that were handed over had begun."
    )
    problem = models.TextField(blank=True, default="", help_text="Why it does not work.")
    problem_since = models.DateTimeField(null=True, help_text="Since when it does not work.")

    objects = HeartbeatQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["node", "-id"], name="scheduler_heartbeat_newest")]
        base_manager_name = "objects"

    def __str__(self) -> str:
        return f"heartbeat {self.pk} of node {self.node_id}"


def insertion(
    node_id: int, report: Report, connection: BaseDatabaseWrapper
) -> tuple[str, list[Any]]:
    """Return the statement, with its values, that inserts a heartbeat unless the node is closed. It
    reads only the node's row, and reading waits for no lock."""
    cast = "::timestamptz" if connection.vendor == "postgresql" else ""
    moments = [report.claimed_at, report.recorded_at, report.executed_at, report.problem_since]
    claimed, recorded, executed, since = map(connection.ops.adapt_datetimefield_value, moments)
    statement = (
        "INSERT INTO scheduler_app_heartbeat "  # noqa: S608
        "(node_id, at, claimed_at, recorded_at, executed_at, problem_since, problem) "
        f"SELECT id, {NOW[connection.vendor]}, {', '.join([f'%s{cast}'] * 4)}, %s "
        "FROM scheduler_app_node WHERE id = %s AND stopped_at IS NULL"
    )
    problem = storable(report.problem, PROBLEM_LIMIT)
    return statement, [claimed, recorded, executed, since, problem, node_id]
