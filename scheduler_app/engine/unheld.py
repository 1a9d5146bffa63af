"""Runs that the ledger says are running on this node, and that the node knows nothing of.

Whatever a job does to the thread that carries it out, its run does not stay running for ever."""

import time
from collections.abc import Callable, Collection
from datetime import datetime

from scheduler_app.conf import scheduler_settings
from scheduler_app.ledger import transitions
from scheduler_app.logs import SafeLogger
from scheduler_app.models import JobRun, Node, bulk, database
from scheduler_app.text import listed

logger = SafeLogger(__name__)

UNHELD = "Lost: its scheduler is alive, but was no longer carrying it out."


class UnheldRuns:
    """Closes such runs once looks a heartbeat apart have found them: a run may have ended between
    the look into the ledger and the question what this process holds."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._suspects: dict[int, float] = {}
        """When each was first found so."""

    def close(self, running: Collection[int], held: Collection[int], now: datetime) -> None:
        """`running`: the node's runs by the ledger. `held`: those that it knew after that."""
        moment, known = self._monotonic(), frozenset(held)
        unheld = [pk for pk in running if pk not in known]
        self._suspects = {pk: self._suspects.get(pk, moment) for pk in unheld}
        latest = moment - scheduler_settings().heartbeat
        certain = [pk for pk, since in self._suspects.items() if since <= latest]
        if not certain:
            return
        with database.atomic():
            ours, _ = JobRun.objects.hold(certain)
            running_ones = JobRun.objects.running().filter(bulk.AnyOf("pk", list(ours)))
            lost = transitions.lose(running_ones, now, UNHELD)
        names = [str(run) for run in lost]
        if names:
            logger.error("running here by the ledger, but not in fact: %s", listed(names))


def running_on(node: Node) -> list[int]:
    """Return the ids of the node's running runs."""
    rows = JobRun.objects.running().filter(node=node).order_by()
    return [pk for (pk,) in bulk.fetch(rows.values_list("pk"))]
