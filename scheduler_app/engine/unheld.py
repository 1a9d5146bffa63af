"""Runs that the ledger says are running, and that no scheduler carries out.

Whatever a job does to the thread that carries it out, and whatever becomes of a node's row, no run
stays running for ever."""

import time
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import lru_cache

from django.db import DatabaseError
from django.db.models import Q

from scheduler_app.ledger import transitions
from scheduler_app.logs import SafeLogger
from scheduler_app.models import JobRun, Node, bulk, database, locks
from scheduler_app.text import listed

logger = SafeLogger(__name__)

UNHELD = "Lost: its scheduler is alive, but was no longer carrying it out."
OWNERLESS = "Lost: the row of its scheduler has been deleted."


class UnheldRuns:
    """Closes such runs once looks so many seconds apart have found them: a run may have ended
    between the look into the ledger and the question what this process holds."""

    def __init__(
        self,
        patience: float,
        message: str = UNHELD,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._patience, self._message, self._monotonic = patience, message, monotonic
        self._suspects: dict[int, float] = {}
        """When each was first found so."""

    def close(self, running: Collection[int], held: Collection[int], now: datetime) -> None:
        """Close what has been unheld for long enough. `running`: such runs by the ledger; `held`:
        those that this process knew after that."""
        moment, known = self._monotonic(), frozenset(held)
        unheld = [pk for pk in running if pk not in known]
        self._suspects = {pk: self._suspects.get(pk, moment) for pk in unheld}
        latest = moment - self._patience
        certain = [pk for pk, since in self._suspects.items() if since <= latest]
        if not certain:
            return
        names = list[str]()
        locks.around(certain, lambda some: names.extend(self._close(some, now)), _log_refusal)
        if names:
            logger.error("running by the ledger, but not in fact: %s", listed(names))

    def _close(self, certain: Sequence[int], now: datetime) -> list[str]:
        with database.atomic():
            ours = JobRun.objects.hold(certain).nodes
            running_ones = JobRun.objects.running().filter(bulk.AnyOf("pk", list(ours)))
            return [str(run) for run in transitions.lose(running_ones, now, self._message)]


def _log_refusal(run_id: int, error: DatabaseError) -> None:
    logger.error("the database refuses that run %d, which nobody has, is closed: %s", run_id, error)


def running_on(node: Node) -> list[int]:
    """Return the ids of the node's running runs."""
    return [pk for (pk,) in bulk.fetch(_running_on(database.alias(), node.pk))]


def ownerless() -> list[int]:
    """Return the ids of the running runs whose node has no row."""
    return [pk for (pk,) in bulk.fetch(_ownerless(database.alias()))]


@lru_cache(maxsize=16)
def _running_on(alias: str, node_id: int) -> bulk.Compiled:
    rows = JobRun.objects.using(alias).running().filter(node=node_id).order_by()
    return bulk.compiled(rows.values_list("pk"))


@lru_cache(maxsize=16)
def _ownerless(alias: str) -> bulk.Compiled:
    has_no_node = Q(node=None) | Q(node__started_at=None)
    rows = JobRun.objects.using(alias).running().filter(has_no_node).order_by()
    return bulk.compiled(rows.values_list("pk"))
