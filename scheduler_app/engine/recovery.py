"""What dead nodes leave behind is closed or taken up by the living."""

import logging
from datetime import datetime

from django.db.models.functions import Greatest

from scheduler_app.engine import ledger
from scheduler_app.models import Job, JobRun, Node, RunState, database

logger = logging.getLogger(__name__)

UNDECLARED = "Cancelled: no scheduler's code declares the job any more."


def close_dead_nodes(now: datetime) -> int:
    """Close every node that has been silent for too long; returns how many this call closed."""
    return sum(_close(node, now) for node in Node.objects.dead())


def take_from_stopped_nodes(now: datetime) -> None:
    """End the hold of nodes that were given up, and have come by runs afterwards: one that froze in
    the middle of a claim, say."""
    for node in Node.objects.filter(pk__in=JobRun.objects.of_stopped_nodes().values("node")):
        with database.atomic():
            leave(node, now, f"Lost: its scheduler, {node.name}, had been given up before.")


def leave(node: Node, now: datetime, message: str) -> list[JobRun]:
    """End a node's hold on its runs: those going are LOST for the reason given (and returned),
    those not begun are left for any node to take, or end here if no code declares their job any
    more. Call it in a transaction."""
    lost = list(JobRun.objects.running().filter(node=node).select_for_update())
    JobRun.objects.filter(pk__in=[run.pk for run in lost]).update(
        state=RunState.LOST,
        finished_at=Greatest("started_at", now),  # the clock may have been put back
        message=message,
    )
    for run in lost:
        run.state = RunState.LOST
    ledger.settle(lost, now)
    left = JobRun.objects.queued().filter(node=node)
    orphaned = left.filter(job_name__in=Job.objects.orphaned().values("name"))
    ledger.end_waiting(orphaned.select_for_update(), RunState.CANCELLED, now, UNDECLARED)
    left.update(node=None)
    return lost


def _close(node: Node, now: datetime) -> bool:
    with database.atomic():
        if not Node.objects.dead().filter(pk=node.pk).close():
            return False  # it lives after all, or another node was quicker
        lost = leave(node, now, f"Lost: its scheduler, {node.name}, died or froze during the run.")
    logger.error("scheduler %s is dead; %d of its runs are lost", node.name, len(lost))
    return True
