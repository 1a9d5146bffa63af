"""What dead nodes leave behind is closed or taken up by the living."""

import logging
from datetime import datetime

from scheduler_app.ledger import transitions
from scheduler_app.models import JobRun, Node, database

logger = logging.getLogger(__name__)


def close_dead_nodes(now: datetime) -> int:
    """Close every node that has been silent for too long; returns how many this call closed."""
    return sum(_close(node, now) for node in Node.objects.dead())


def take_from_stopped_nodes(now: datetime) -> None:
    """End the hold of nodes that were given up, and have come by runs afterwards: one that froze in
    the middle of a claim, say."""
    for node in Node.objects.filter(pk__in=JobRun.objects.of_stopped_nodes().values("node")):
        with database.atomic():
            transitions.release_runs(
                node, now, f"Lost: its scheduler, {node.name}, had been given up before."
            )


def _close(node: Node, now: datetime) -> bool:
    with database.atomic():
        if not Node.objects.dead().filter(pk=node.pk).close():
            return False  # it lives after all, or another node was quicker
        lost = transitions.release_runs(
            node, now, f"Lost: its scheduler, {node.name}, died or froze during the run."
        )
    logger.error("scheduler %s is dead; %d of its runs are lost", node.name, len(lost))
    return True
