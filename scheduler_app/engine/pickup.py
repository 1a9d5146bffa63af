"""Runs that no node has, or that their node has not begun in time: requests, retries, what waits
for another run to end, and what a node that has too much, or has died, has claimed."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Exists, F, Min, OuterRef, Window
from django.db.models.functions import RowNumber

from scheduler_app.ledger import timetable, transitions
from scheduler_app.models import Job, JobRun, Node, RunState, Trigger, bulk, database
from scheduler_app.policies import CatchUp, Overlap
from scheduler_app.registry import Registry


@dataclass(frozen=True, slots=True)
class Terms:
    """What decides which of a job's waiting runs may start."""

    is_paused: bool
    may_overlap: bool
    assigned: tuple[int, ...]
    """The ids of its runs that some node has and that have not ended."""

    def allow(self, run_id: int, trigger: str) -> bool:
        """Return whether this run may start as long as no other does. If a node has a run of the
        job and does not begin it, that very run may be taken over, and no other."""
        is_alone = self.may_overlap or self.assigned in ((), (run_id,))
        return is_alone and (trigger == Trigger.MANUAL or not self.is_paused)


def pick_up(
    node: Node, registry: Registry, undeclared: set[str], now: datetime, free_slots: int
) -> list[JobRun]:
    """Take up to `free_slots` of the runs that wait, in the order in which they were due. Those of
    a job that may not overlap start one at a time; those of a paused job wait, unless asked for.
    Jobs that this node's code lacks block no others: they are added to `undeclared`. Nor do those
    whose timetable row, the lock, has been deleted or locked: their runs wait until it is back."""
    with database.reading():
        names = _startable_jobs(now, node)
    undeclared |= {name for name in names if name not in registry}
    ours = [name for name in names if name not in undeclared]
    taken = list[JobRun]()
    while ours and not taken:
        taken = _take(now, node, ours[:free_slots], free_slots)
        ours = ours[free_slots:]
    return taken


def _take(now: datetime, node: Node, names: list[str], free_slots: int) -> list[JobRun]:
    with database.atomic():
        locked = timetable.try_lock(names)
        # Only now nobody else can start these jobs' runs: look again.
        ids = _startable_runs(now, node, locked, free_slots)
        free = JobRun.objects.free(now, node).filter(bulk.AnyOf("pk", ids))
        # Another node is just beginning what is locked.
        taken = list(free.select_for_update(skip_locked=True).order_by("-id"))
        transitions.assign(taken, node)
    return sorted(taken, key=lambda run: (run.due_at, run.pk))


def miss_what_is_too_late(now: datetime, grace: timedelta) -> None:
    """After a stop: occurrences that nobody began, and that their jobs do not want late."""
    wants_none = Exists(Job.objects.filter(name=OuterRef("job_name"), catch_up=CatchUp.SKIP))
    with database.atomic():
        waiting = JobRun.objects.unassigned().scheduled().filter(wants_none, attempt=1)
        late = waiting.due(now - grace).select_for_update(skip_locked=True)
        transitions.close_queued(late, RunState.MISSED, now, "Missed: no scheduler was running.")


def _startable_jobs(now: datetime, node: Node) -> list[str]:
    """The jobs of which some run could start now, in the order in which their first ones were due.
    However many runs of a job wait, they are gone through once."""
    free = JobRun.objects.free(now, node)
    kinds = (
        free.order_by()
        .values_list("job_name", "trigger", "node")
        .annotate(first=Min("due_at"), run=Min("pk"))
    )
    rows = sorted(kinds, key=lambda row: row[3])
    terms = _terms({name for name, *_ in rows})
    allowed = (
        name
        for name, trigger, holder, _, run_id in rows
        if terms[name].allow(run_id if holder else 0, trigger)
    )
    return list(dict.fromkeys(allowed))


def _startable_runs(now: datetime, node: Node, names: Collection[str], limit: int) -> list[int]:
    """The ids of the first runs of these (locked) jobs that may start now."""
    terms = _terms(names)
    turn = Window(RowNumber(), partition_by=F("job_name"), order_by=(F("due_at"), F("pk")))
    waiting = JobRun.objects.free(now, node).filter(bulk.AnyOf("job_name", names))
    rows = waiting.annotate(turn=turn).filter(turn__lte=limit).order_by("due_at", "pk")
    started, found = set[str](), list[int]()
    for run_id, name, trigger in rows.values_list("pk", "job_name", "trigger"):
        if terms[name].allow(run_id, trigger) and name not in started:
            found.append(run_id)
            if not terms[name].may_overlap:
                started.add(name)
    return found[:limit]


def _terms(names: Iterable[str]) -> dict[str, Terms]:
    names = list(names)
    jobs = Job.objects.filter(bulk.AnyOf("name", names)).order_by()
    rows = {
        name: (paused_at is not None, overlap == Overlap.ALLOW)
        for name, paused_at, overlap in jobs.values_list("name", "paused_at", "overlap")
    }
    assigned = defaultdict[str, list[int]](list)
    held = JobRun.objects.assigned().filter(bulk.AnyOf("job_name", names)).order_by()
    for name, run_id in held.values_list("job_name", "pk"):
        assigned[name].append(run_id)
    return {name: Terms(*rows.get(name, (False, False)), tuple(assigned[name])) for name in names}
