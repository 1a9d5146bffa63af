"""Runs that have not ended, as the next occurrence of their job finds them."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Q

from scheduler_app.models import JobRun, bulk


@dataclass(frozen=True, slots=True)
class ActiveRuns:
    """Why a job is busy."""

    run_id: int
    """The oldest of its runs that have not ended."""
    has_waiting: bool
    """Whether one of them waits for another to end."""
    has_queued: bool
    """Whether one of them has not begun."""


def active_runs(names: Iterable[str]) -> dict[str, ActiveRuns]:
    """Return those of these jobs that are busy. A retry that waits for its time makes no job
    busy."""
    waits_to_retry = Q(node=None, attempt__gt=1)
    active = JobRun.objects.active().filter(bulk.AnyOf("job_name", names)).exclude(waits_to_retry)
    found: dict[str, ActiveRuns] = {}
    rows = active.order_by("-id").values_list("job_name", "id", "node_id", "started_at")
    for name, run_id, node, started_at in bulk.fetch(rows):
        later = found.get(name)
        # Of those that a node has, only the oldest can begin now.
        has_waiting = node is None or (later is not None and later.has_queued)
        found[name] = ActiveRuns(run_id, has_waiting, has_waiting or started_at is None)
    return found
