"""Pick up runs that no node holds, or that their node has not begun in time: requests, retries,
runs that wait for another to end, and runs claimed by a node that is overloaded or dead."""

import math
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import DatabaseError
from django.db.models import Exists, F, Min, OuterRef, Window
from django.db.models.functions import RowNumber

from scheduler_app.engine.firing_rules import POLICIES, policies
from scheduler_app.ledger import timetable, transitions
from scheduler_app.logs import SafeLogger
from scheduler_app.models import Job, JobRun, Node, RunState, Trigger, bulk, database, locks
from scheduler_app.policies import CatchUp, Policies
from scheduler_app.registry import Registry

logger = SafeLogger(__name__)

MOMENT = 0.25
"""How far ahead, in seconds, a node takes runs of one job. They begin even if the job is paused
meanwhile."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What decides which of a job's waiting runs may start."""

    is_paused: bool
    policies: Policies | None
    """None: the job has no row."""
    assigned: tuple[int, ...]
    """The ids of its runs that some node has and that have not ended."""

    @property
    def may_overlap(self) -> bool:
        return self.policies is not None and self.policies.may_overlap

    def allow(self, run_id: int, trigger: str, may_overlap: bool) -> bool:
        """Return whether this run, which may itself overlap others, may start as long as no other
        does. If a node has a run of the job and does not begin it, that very run may be taken over,
        and no other."""
        is_alone = may_overlap or self.may_overlap or self.assigned in ((), (run_id,))
        return is_alone and (trigger == Trigger.MANUAL or not self.is_paused)


class Backlogs:
    """How many waiting runs of a job that may not overlap a node takes at a time, to carry them out
    one after the other: as many as it completed in a moment the last time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._taken: dict[str, tuple[int, float]] = {}
        """How many were taken last, and when."""

    def allowance(self, name: str) -> int:
        """Return how many runs to take now that those taken last have ended."""
        count, at = self._taken.get(name, (1, -math.inf))
        pace = count / max(self._clock() - at, 1e-3)
        return max(1, min(2 * count, round(pace * MOMENT)))

    def took(self, runs: Iterable[JobRun]) -> None:
        """Remember that these runs were taken."""
        now = self._clock()
        for name, count in Counter(run.job_name for run in runs).items():
            self._taken[name] = (count, now)


def pick_up(
    node: Node,
    registry: Registry,
    undeclared: set[str],
    refused: set[str],
    backlogs: Backlogs,
    now: datetime,
    free_slots: int,
) -> list[JobRun]:
    """Take up to `free_slots` of the runs that wait, in the order in which they were due. Those of
    a job that may not overlap start one at a time; those of a paused job wait, unless asked for.
    Jobs that this node's code lacks block no others: they are added to `undeclared`. Nor do those
    whose timetable row, the lock, has been deleted or locked: their runs wait until it is back; nor
    those whose runs the database refuses to change, which are noted in `refused`."""
    with database.reading():
        names = _startable_jobs(now, node)
    undeclared |= {name for name in names if name not in registry}
    ours = [name for name in names if name not in undeclared]
    taken = list[JobRun]()
    known = refused.copy()
    refused.clear()

    def take(some: Sequence[str]) -> None:
        taken.extend(_take(now, node, some, backlogs, free_slots - len(taken)))

    def refuse(name: str, error: DatabaseError) -> None:
        refused.add(name)
        if name not in known:
            logger.error("the database refuses runs of job %s, which wait: %s", name, error)

    while ours and not taken:
        locks.around(ours[:free_slots], take, refuse)
        ours = ours[free_slots:]
    backlogs.took(taken)
    return taken


def _take(
    now: datetime, node: Node, names: Sequence[str], backlogs: Backlogs, free_slots: int
) -> list[JobRun]:
    with database.atomic():
        locked = timetable.try_lock(names)
        # Only under these locks can no other node start these jobs' runs: look again.
        terms = _terms(locked)
        holders = _startable_runs(now, node, terms, backlogs, free_slots)
        # Their state is no condition: PostgreSQL would go through all runs that have not ended.
        rows = JobRun.objects.filter(bulk.AnyOf("pk", list(holders))).order_by("-pk")
        # What is locked, another node is just beginning.
        free = rows.select_for_update(skip_locked=True)
        taken = [
            run for run in free if run.state == RunState.QUEUED and run.node_id == holders[run.pk]
        ]
        transitions.assign(taken, node)
    for run in taken:
        run.policies = terms[run.job_name].policies
    return sorted(taken, key=lambda run: (run.due_at, run.pk))


def miss_what_is_too_late(now: datetime, grace: timedelta) -> None:
    """After a stop, mark as missed the queued occurrences that are too late for their jobs."""
    wants_none = Exists(Job.objects.filter(name=OuterRef("job_name"), catch_up=CatchUp.SKIP))
    with database.atomic():
        waiting = JobRun.objects.unassigned().scheduled().filter(wants_none, attempt=1)
        late = waiting.due(now - grace).select_for_update(skip_locked=True)
        transitions.close_queued(late, RunState.MISSED, now, "Missed: no scheduler was running.")


def _startable_jobs(now: datetime, node: Node) -> list[str]:
    """Return the jobs of which some run could start now, in the order in which their first runs
    were due. Each waiting run is read once, however many a job has."""
    free = JobRun.objects.free(now, node)
    kinds = (
        free.order_by()
        .values_list("job_name", "trigger", "may_overlap", "node")
        .annotate(first=Min("due_at"), run=Min("pk"))
    )
    rows = sorted(kinds, key=lambda row: row[4])
    terms = _terms({name for name, *_ in rows})
    allowed = (
        name
        for name, trigger, may_overlap, holder, _, run_id in rows
        if terms[name].allow(run_id if holder else 0, trigger, may_overlap)
    )
    return list(dict.fromkeys(allowed))


def _startable_runs(
    now: datetime, node: Node, terms: Mapping[str, Terms], backlogs: Backlogs, limit: int
) -> dict[int, int | None]:
    """Return the first runs of these (locked) jobs that may start now, or one after the other, each
    with the node that holds it."""
    turn = Window(RowNumber(), partition_by=F("job_name"), order_by=(F("due_at"), F("pk")))
    waiting = JobRun.objects.free(now, node).filter(bulk.AnyOf("job_name", terms))
    rows = waiting.annotate(turn=turn).filter(turn__lte=limit).order_by("due_at", "pk")
    left = {
        name: limit if each.may_overlap else backlogs.allowance(name)
        for name, each in terms.items()
    }
    found = dict[int, int | None]()
    columns = rows.values_list("pk", "job_name", "trigger", "may_overlap", "node")
    for run_id, name, trigger, may_overlap, holder in columns:
        has_turn = may_overlap or left[name]
        if len(found) < limit and has_turn and terms[name].allow(run_id, trigger, may_overlap):
            left[name] -= not may_overlap
            found[run_id] = holder
    return found


def _terms(names: Iterable[str]) -> dict[str, Terms]:
    names = list(names)
    jobs = Job.objects.filter(bulk.AnyOf("name", names)).order_by()
    rows: dict[str, tuple[bool, Policies | None]] = {
        name: (paused_at is not None, policies(*values))
        for name, paused_at, *values in jobs.values_list("name", "paused_at", *POLICIES)
    }
    assigned = defaultdict[str, list[int]](list)
    held = JobRun.objects.assigned().filter(bulk.AnyOf("job_name", names)).order_by()
    for name, run_id in held.values_list("job_name", "pk"):
        assigned[name].append(run_id)
    return {name: Terms(*rows.get(name, (False, None)), tuple(assigned[name])) for name in names}
