"""Lists of what there is and of what has happened, a page at a time: each begins after the last row
of the page before, so that rows which come or go meanwhile neither hide nor repeat another."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from django.db.models import BigIntegerField, Q, Subquery, Value
from django.db.models.functions import Coalesce

from scheduler_app.models import AuditEntry, Job, JobRun, JobRunQuerySet, Node, RunState
from scheduler_app.status.current import JobState, JobStatus, job_statuses
from scheduler_app.status.health import NodeHealth, scheduler_health

BATCH = 500
"""How many jobs are looked at together, if only some of them are wanted."""
MOST_TRIES = 100
LARGE = ("traceback", "log", "live__log", "node__declares")
"""Columns that no list has."""
MOST_HELD = 500
"""How many runs of a node are listed, the oldest."""


@dataclass(frozen=True, slots=True)
class ListedNode:
    """One life of one scheduler process. All moments are in UTC."""

    id: int
    name: str
    health: NodeHealth | None
    """None: it is stopped."""
    started_at: datetime
    heartbeat_at: datetime
    stopped_at: datetime | None
    run_ids: tuple[int, ...]
    """The runs that it holds."""
    declares: tuple[str, ...]
    """The jobs in its code."""

    @property
    def state(self) -> str:
        """Return "well", "not working", "dead" or "stopped"."""
        if self.health is None:
            return "stopped"
        if not self.health.is_alive:
            return "dead"
        return "well" if self.health.is_well else "not working"


def jobs(
    *,
    limit: int,
    after: str = "",
    state: JobState | None = None,
    name_prefix: str = "",
    app: str = "",
    is_failing: bool = False,
) -> list[JobStatus]:
    """Return jobs in order of their names, those that come after this name."""
    found = Job.objects.matching(name_prefix=name_prefix, app=app).order_by("name")

    def statuses() -> Iterator[JobStatus]:
        last, size = after, BATCH if state or is_failing else limit
        while batch := job_statuses(found.filter(name__gt=last)[:size]):
            yield from batch
            if len(batch) < size:
                return
            last = batch[-1].name

    wanted = (
        job
        for job in statuses()
        if state in (None, job.state) and not (is_failing and job.last_error is None)
    )
    return list(islice(wanted, limit))


def runs(
    *,
    limit: int,
    before: int | None = None,
    job_name: str = "",
    states: Collection[RunState] = (),
    since: datetime | None = None,
    until: datetime | None = None,
    message_contains: str = "",
) -> list[JobRun]:
    """Return runs without their logs and tracebacks, the latest first, those with a smaller id.
    `since` and `until` are bounds of `scheduled_for`; the latter is not included."""
    found = JobRun.objects.order_by("-pk").filter(
        **_given(
            pk__lt=before,
            job_name=job_name,
            state__in=states,
            scheduled_for__gte=since,
            scheduled_for__lt=until,
            message__icontains=message_contains,
        )
    )
    return list(found.select_related("node", "live").defer(*LARGE)[:limit])


def last_durations(job_name: str, number: int = 10) -> list[timedelta]:
    """Return how long the last successes of a job took."""
    found = JobRun.objects.executed().filter(job_name=job_name).order_by("-finished_at")
    rows = found.values_list("state", "started_at", "finished_at")[: 2 * number]
    spans = [
        end - begin for state, begin, end in rows if state == RunState.SUCCESS and begin and end
    ]
    return spans[:number]


def attempts(run: JobRun) -> list[JobRun]:
    """Return all attempts at the same occurrence or request, the first one first."""
    first = run.first_attempt_id or run.pk
    found = JobRun.objects.filter(pk=first) | JobRun.objects.filter(first_attempt=first)
    rows = found.order_by("attempt", "pk").select_related("node", "live")
    return list(rows.defer(*LARGE))


def tries(run: JobRun) -> list[JobRun]:
    """Return all that tried the same as this run: its attempts, what it runs again, and what people
    asked for again; in their order, at most MOST_TRIES."""
    heads = {run.pk, run.first_attempt_id or run.pk, run.rerun_of_id or run.pk}
    retries = Q(first_attempt__isnull=False, first_attempt__in=heads)
    again = Q(rerun_of__isnull=False, rerun_of__in=heads)
    rows = JobRun.objects.filter(Q(pk__in=heads) | retries | again).order_by("pk")
    deferred = ("traceback", "log", "metadata", "node__declares")
    return list(rows.select_related("node").defer(*deferred)[:MOST_TRIES])


def neighbours(run: JobRun) -> tuple[int | None, int | None]:
    """Return the run of the same job that ended before this one, and the one that ended after it.
    Those that have not ended follow those that have, in the order of their ids."""
    before: tuple[JobRunQuerySet, ...]
    after: tuple[JobRunQuerySet, ...]
    of_job = JobRun.objects.filter(job_name=run.job_name)
    ended, active = of_job.finished(), of_job.active()
    if run.finished_at is None:
        before = active.filter(pk__lt=run.pk).order_by("-pk"), ended.order_by("-finished_at", "-pk")
        after = (active.filter(pk__gt=run.pk).order_by("pk"),)
    else:
        at, same = run.finished_at, Q(finished_at=run.finished_at)
        earlier = ended.filter(finished_at__lte=at).exclude(same, pk__gte=run.pk)
        later = ended.filter(finished_at__gte=at).exclude(same, pk__lte=run.pk)
        before = (earlier.order_by("-finished_at", "-pk"),)
        after = later.order_by("finished_at", "pk"), active.order_by("pk")
    this = JobRun.objects.filter(pk=run.pk).order_by()
    rows = this.values_list(_first_of(*before), _first_of(*after))
    return rows.first() or (None, None)


def _first_of(*found: JobRunQuerySet) -> Coalesce:
    nothing = Value(None, output_field=BigIntegerField())
    return Coalesce(*(Subquery(rows.values("pk")[:1]) for rows in found), nothing)


def nodes(*, limit: int, before: int | None = None, with_stopped: bool = False) -> list[ListedNode]:
    """Return scheduler processes, the latest first, those with a smaller id."""
    found = Node.objects.with_heartbeat().order_by("-pk").filter(**_given(pk__lt=before))
    if not with_stopped:
        found = found.unstopped()
    rows = list(found[:limit])
    healths = {node.id: node for node in scheduler_health().nodes}
    held = held_runs([node.pk for node in rows])
    return [_listed(node, healths.get(node.pk), [run.id for run in held[node.pk]]) for node in rows]


@dataclass(frozen=True, slots=True)
class HeldRun:
    """A run that a node holds and that has not ended."""

    id: int
    job_name: str
    state: RunState


def held_runs(node_ids: Collection[int]) -> defaultdict[int, list[HeldRun]]:
    """Return what each of these nodes holds, the oldest first."""
    held = defaultdict[int, list[HeldRun]](list)
    runs = JobRun.objects.active().filter(node__in=node_ids).order_by("pk")
    for node_id, run_id, job_name, state in runs.values_list("node", "pk", "job_name", "state"):
        held[node_id].append(HeldRun(run_id, job_name, RunState(state)))
    return held


def _listed(node: Node, health: NodeHealth | None, held: Sequence[int]) -> ListedNode:
    return ListedNode(
        id=node.pk,
        name=node.name,
        health=health,
        started_at=node.started_at,
        heartbeat_at=node.heartbeat_at,  # type: ignore[attr-defined]  # annotated
        stopped_at=node.stopped_at,
        run_ids=tuple(held[:MOST_HELD]),
        declares=tuple(node.declares),
    )


def audit_entries(
    *,
    limit: int,
    before: int | None = None,
    job_name: str = "",
    actor: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[AuditEntry]:
    """Return what people did, the latest first, those with a smaller id; `until` is not
    included."""
    wanted = _given(pk__lt=before, job_name=job_name, actor=actor, at__gte=since, at__lt=until)
    return list(AuditEntry.objects.order_by("-pk").filter(**wanted)[:limit])


def _given(**lookups: Any) -> dict[str, Any]:
    """Return those of these lookups that have a value."""
    return {lookup: value for lookup, value in lookups.items() if value}
