"""Lists of what there is and of what has happened, a page at a time: each begins after the last row
of the page before, so that rows which come or go meanwhile neither hide nor repeat another."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from scheduler_app.models import AuditEntry, Job, JobRun, Node, RunState
from scheduler_app.status.current import JobState, JobStatus, job_statuses
from scheduler_app.status.health import NodeHealth, scheduler_health

BATCH = 500
"""How many jobs are looked at together, if only some of them are wanted."""
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
    is_failing: bool = False,
) -> list[JobStatus]:
    """Return jobs in order of their names, those that come after this name."""
    found = Job.objects.order_by("name")
    if name_prefix:
        found = found.filter(name__startswith=name_prefix)

    def statuses() -> Iterator[JobStatus]:
        last, size = after, BATCH if state or is_failing else limit
        while batch := job_statuses(found.filter(name__gt=last)[:size]):
            yield from batch
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


def nodes(*, limit: int, before: int | None = None, with_stopped: bool = False) -> list[ListedNode]:
    """Return scheduler processes, the latest first, those with a smaller id."""
    found = Node.objects.with_heartbeat().order_by("-pk").filter(**_given(pk__lt=before))
    if not with_stopped:
        found = found.unstopped()
    rows = list(found[:limit])
    healths = {node.id: node for node in scheduler_health().nodes}
    held = defaultdict[int, list[int]](list)
    runs = JobRun.objects.active().filter(node__in=[node.pk for node in rows]).order_by("pk")
    for node_id, run_id in runs.values_list("node", "pk"):
        held[node_id].append(run_id)
    return [_listed(node, healths.get(node.pk), held[node.pk]) for node in rows]


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
