"""What runs now, and how that compares with what is usual."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.db.models import Case, Count, Exists, OuterRef, Q, Value, When, Window

from scheduler_app.metadata import Progress, read_progress
from scheduler_app.models import Job, JobRun, RunState
from scheduler_app.status.progress import said
from scheduler_app.status.usual import Usual, is_slow, is_stuck

MOST_RUNS = 50
"""How many are listed."""


class Pace(StrEnum):
    """How long a run takes, compared with the last ones of its job."""

    USUAL = ""
    SLOW = "slow"
    STUCK = "stuck?"


@dataclass(frozen=True, slots=True)
class GoingRun:
    """A run that is running. All moments are in UTC."""

    id: int
    job_name: str
    node: str
    """The name of its scheduler; empty if that is not known."""
    started_at: datetime
    attempt: int
    requested_by: str
    metadata: dict[str, Any]
    """What it has reported so far."""
    progress: Progress
    """How far it is, as it last said."""
    is_asked_to_end: bool
    is_interrupted: bool
    """Its scheduler died; nothing carries it out any more."""
    has_process: bool
    """It has a process of its own, which can be killed."""


@dataclass(frozen=True, slots=True)
class Going:
    """What has not ended at one moment."""

    runs: tuple[GoingRun, ...]
    """The oldest first."""
    running: int
    """How many run, listed or not."""
    waiting: int
    """How many are due and have not begun."""
    later: int
    """How many wait for their time: retries."""


def going(now: datetime, alive: Collection[int]) -> Going:
    """Return what runs and what waits, given the ids of the living nodes: one query."""
    is_running, is_due = Q(state=RunState.RUNNING), Q(due_at__lte=now)
    of_job = Job.objects.filter(name=OuterRef("job_name"))
    killable = of_job.filter(Q(isolated=True) | Q(timeout__isnull=False))
    rows: list[Any] = list(
        JobRun.objects.active()
        .annotate(
            rank=Case(When(is_running, then=Value(0)), default=1),
            running=Window(Count("pk", filter=is_running)),
            waiting=Window(Count("pk", filter=~is_running & is_due)),
            later=Window(Count("pk", filter=~is_running & ~is_due)),
            has_process=Exists(killable),
        )
        .select_related("node", "live")
        .defer("traceback", "log", "message", "node__declares", "live__log")
        .order_by("rank", "pk")[:MOST_RUNS]
    )
    counts = (rows[0].running, rows[0].waiting, rows[0].later) if rows else (0, 0, 0)
    return Going(tuple(_going(row, alive) for row in rows if row.started_at), *counts)


def _going(run: Any, alive: Collection[int]) -> GoingRun:
    told = said(run)
    return GoingRun(
        id=run.pk,
        job_name=run.job_name,
        node=run.node.name if run.node else "",
        started_at=run.started_at,
        attempt=run.attempt,
        requested_by=run.requested_by,
        metadata=told.metadata if isinstance(told.metadata, dict) else {},
        progress=read_progress(told.progress),
        is_asked_to_end=run.cancel_requested_at is not None,
        is_interrupted=run.node_id is not None and run.node_id not in alive,
        has_process=run.has_process,
    )


def pace(elapsed: timedelta, usual: Usual | None) -> Pace:
    """Return how a run that has lasted so long compares with what is usual for its job."""
    if is_stuck(elapsed, usual):
        return Pace.STUCK
    return Pace.SLOW if is_slow(elapsed, usual) else Pace.USUAL
