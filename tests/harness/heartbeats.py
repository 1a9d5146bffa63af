"""Heartbeats that a test makes up."""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from scheduler_app.engine.liveness import close_dead_node
from scheduler_app.models import Heartbeat, Node
from tests.harness.waiting import eventually


def heard_at(node: Node, moment: datetime, **report: Any) -> None:
    """Make this the node's last heartbeat."""
    Heartbeat.objects.create(node=node, at=moment, **report)


def silent_for(node: Node, seconds: float) -> None:
    """Make the node's last heartbeat this old; below zero, of a time to come."""
    heard_at(node, timezone.now() - timedelta(seconds=seconds))


def close_dead_nodes() -> int:
    """Have a living node close those that are dead; return how many it closed."""
    judge = Node.objects.create(name="judge:1")
    dead = Node.objects.liveness().dead
    closed = sum(close_dead_node(pk, judge.pk) for pk in sorted(dead))
    judge.delete()
    return closed


def give_up(node: Node) -> None:
    """Have another node take this one for dead, which may beat meanwhile."""

    def is_closed() -> bool:
        silent_for(node, 86_400)
        return close_dead_nodes() > 0

    eventually(is_closed)
