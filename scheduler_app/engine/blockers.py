"""Runs that have not ended, as the next occurrence of their job finds them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from scheduler_app.engine import ledger
from scheduler_app.models import JobRun, RunState, bulk

SUPERSEDED = "Cancelled: the next occurrence took its place."


@dataclass(frozen=True, slots=True)
class Blocker:
    """Why a job is busy."""

    run_id: int
    """The oldest of its runs that have not ended."""
    has_waiting: bool
    """Whether one of them waits without a node."""


def blockers_of(names: Iterable[str]) -> dict[str, Blocker]:
    """Those of these jobs that are busy. A retry that waits for its time makes no job busy."""
    waits_to_retry = Q(node=None, attempt__gt=1)
    active = JobRun.objects.active().filter(bulk.Among("job_name", names)).exclude(waits_to_retry)
    found: dict[str, Blocker] = {}
    rows = active.order_by("-id").values_list("job_name", "id", "node_id")
    for name, run_id, node in bulk.fetch(rows):
        later = found.get(name)
        found[name] = Blocker(run_id, node is None or (later is not None and later.has_waiting))
    return found


def cancel_previous(names: Iterable[str], now: datetime) -> None:
    """Ask these jobs' runs to end early; occurrences that have not begun end here."""
    active = JobRun.objects.active().filter(job_name__in=list(names))
    waiting = active.queued().scheduled().select_for_update()
    ledger.end_waiting(waiting, RunState.CANCELLED, now, SUPERSEDED)
    active.running().filter(cancel_requested_at=None).update(
        cancel_requested_at=now, cancel_reason=SUPERSEDED
    )
