"""Whether schedulers are alive, and whether they work: the one place that every surface and health
check asks. A scheduler itself writes into its heartbeats what keeps it from working
(engine/vitals)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

from django.db.models import BooleanField, ExpressionWrapper, Max, OuterRef, Subquery
from django.utils import timezone

from scheduler_app.conf import scheduler_settings
from scheduler_app.models import Heartbeat, Node, bulk, database
from scheduler_app.models.node import is_fresh
from scheduler_app.models.patience import brief_read
from scheduler_app.text import Clock, listed

PATIENCE = 3.0
"""How long, in seconds, one statement of a look may take."""


class SchedulerState(StrEnum):
    """What the schedulers of a database do, taken together."""

    RUNNING = "RUNNING"
    """At least one is alive and works."""
    NOT_WORKING = "NOT WORKING"
    """Some are alive; none works."""
    STOPPED = "STOPPED"
    """None is alive."""


@dataclass(frozen=True, slots=True)
class NodeHealth:
    """One scheduler that is not marked as stopped. All moments are in UTC."""

    id: int
    name: str
    is_alive: bool
    """Its heartbeat is fresh."""
    heartbeat_at: datetime
    claimed_at: datetime | None
    """When it last completed a look for due jobs."""
    problem: str
    """Why it does not work; empty if it is well."""
    since: datetime | None
    """Since when it has not worked; None if it is well."""

    @property
    def is_well(self) -> bool:
        """It is alive, and it works."""
        return self.is_alive and not self.problem


@dataclass(frozen=True, slots=True)
class SchedulerHealth:
    """All schedulers of the database at one moment."""

    state: SchedulerState
    problem: str
    """Why none works; empty while at least one does."""
    since: datetime | None
    """Since when none has worked; None while at least one does, and if there never was any."""
    nodes: tuple[NodeHealth, ...]
    """Those that are not marked as stopped, the dead ones included, in order of their names."""

    @property
    def is_running(self) -> bool:
        return self.state == SchedulerState.RUNNING

    def words(self, clock: Clock) -> str:
        """Return one line: "RUNNING", "NOT WORKING since 12:03:10 UTC: every claim fails: ..."."""
        since = f" since {clock.full(self.since)}" if self.since else ""
        problem = f": {self.problem}" if self.problem else ""
        return f"{self.state}{since}{problem}"


def scheduler_health() -> SchedulerHealth:
    """Return how all schedulers are. Raises what the database raises, within a few seconds."""
    with brief_read(PATIENCE):
        nodes = _nodes()
        alive = [node for node in nodes if node.is_alive]
        if any(node.is_well for node in alive):
            return SchedulerHealth(SchedulerState.RUNNING, "", None, nodes)
        if alive:
            last = max(alive, key=lambda node: node.since or node.heartbeat_at)
            return SchedulerHealth(SchedulerState.NOT_WORKING, last.problem, last.since, nodes)
        since = Node.objects.lives(timezone.now()).aggregate(at=Max("alive_to"))["at"]
        return SchedulerHealth(SchedulerState.STOPPED, _gone(nodes), since, nodes)


def node_health(node_id: int) -> NodeHealth | None:
    """Return how one scheduler is; None if it has been closed."""
    with brief_read(PATIENCE):
        return next((node for node in _nodes() if node.id == node_id), None)


def _gone(nodes: tuple[NodeHealth, ...]) -> str:
    return f"no heartbeat of {listed(node.name for node in nodes)}" if nodes else ""


def _nodes() -> tuple[NodeHealth, ...]:
    rows = bulk.fetch(_question(database.alias(), scheduler_settings().dead_after))
    return tuple(_node(*row) for row in rows)


@lru_cache
def _question(alias: str, dead_after: float) -> bulk.Compiled:
    """Return the one query; health is asked again and again."""
    last = Heartbeat.objects.using(alias).filter(node=OuterRef("pk")).newest()
    said = [Subquery(last.values(name)[:1]) for name in ("claimed_at", "problem", "problem_since")]
    fresh = ExpressionWrapper(is_fresh(), BooleanField())
    nodes = Node.objects.using(alias).unstopped().with_heartbeat().order_by("name", "pk")
    return bulk.compiled(nodes.values_list("pk", "name", "heartbeat_at", fresh, *said))


def _node(
    pk: int,
    name: str,
    heartbeat_at: datetime,
    fresh: bool,
    claimed_at: datetime | None,
    problem: str | None,
    since: datetime | None,
) -> NodeHealth:
    problem = problem or ""
    if not fresh:
        problem, since = "its heartbeat is missing", heartbeat_at
    elif problem:
        since = since or heartbeat_at
    return NodeHealth(pk, name, bool(fresh), heartbeat_at, claimed_at, problem, since)
