"""Runs that the ledger says are running on this node, and that the node knows nothing of.

Whatever a job does to the thread that carries it out, its run does not stay running for ever."""

from collections.abc import Collection
from datetime import datetime

from scheduler_app.ledger import transitions
from scheduler_app.logs import SafeLogger
from scheduler_app.models import JobRun, Node, bulk, database
from scheduler_app.text import listed

logger = SafeLogger(__name__)

UNHELD = "Lost: its scheduler is alive, but was no longer carrying it out."


class UnheldRuns:
    """Closes such runs once two looks, a heartbeat apart, have found them: the end of one that has
    just ended may still be on its way to the ledger."""

    def __init__(self) -> None:
        self._suspects: frozenset[int] = frozenset()

    def close(self, running: Collection[int], held: Collection[int], now: datetime) -> None:
        """`running`: the node's runs by the ledger. `held`: those that it knew after that."""
        unheld = frozenset(running) - frozenset(held)
        certain, self._suspects = unheld & self._suspects, unheld
        if not certain:
            return
        with database.atomic():
            ours, _ = JobRun.objects.hold(sorted(certain))
            running_ones = JobRun.objects.running().filter(bulk.AnyOf("pk", list(ours)))
            lost = transitions.lose(running_ones, now, UNHELD)
        names = [str(run) for run in lost]
        if names:
            logger.error("running here by the ledger, but not in fact: %s", listed(names))


def running_on(node: Node) -> list[int]:
    """Return the ids of the node's running runs."""
    rows = JobRun.objects.running().filter(node=node).order_by()
    return [pk for (pk,) in bulk.fetch(rows.values_list("pk"))]
