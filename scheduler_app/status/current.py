"""How the scheduler and its jobs are now. All surfaces show these values; none computes its own."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.db.models import (
    BooleanField,
    Exists,
    ExpressionWrapper,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
)
from django.db.models.functions import Concat

from scheduler_app.conf import scheduler_settings
from scheduler_app.cron import Uncomputable
from scheduler_app.exceptions import JobNotFound, RunNotFound
from scheduler_app.models import (
    AddedJob,
    Job,
    JobQuerySet,
    JobRun,
    Node,
    RunState,
    bulk,
    database,
    timetable_rows,
)
from scheduler_app.models.job import can_be_name
from scheduler_app.models.override import unpack
from scheduler_app.models.timetable import PREFIX
from scheduler_app.policies import MAX_NAME, Policies
from scheduler_app.status.health import SchedulerHealth, scheduler_health
from scheduler_app.text import Clock, one_line

OVERDUE_AFTER = 2
"""Heartbeats. A scheduler that works claims what is due within a second."""
QUERY_PARAMETERS = 30_000
"""SQLite takes 32,766 in one query."""


SUMMARY = (
    "id",
    "state",
    "scheduled_for",
    "due_at",
    "started_at",
    "finished_at",
    "message",
    "metadata",
)
"""The columns of a run that are shown. Django takes longer to make models of many runs than to read
their rows."""
_BLANK = JobRun()


class JobState(StrEnum):
    """What a job is doing now. A job in several states is shown in the first of these."""

    BROKEN = "BROKEN"
    """Its schedule cannot be computed, so it does not fire."""
    PAUSED = "PAUSED"
    OVERDUE = "OVERDUE"
    """It is due, and no scheduler claims it: none works, or the database refuses its runs, or
    another client of the database has locked it."""
    RUNNING = "RUNNING"
    INTERRUPTED = "INTERRUPTED"
    """It was running when its scheduler died; no living scheduler has closed the run yet."""
    ORPHANED = "ORPHANED"
    IDLE = "IDLE"


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One run, as it is shown. All moments are in UTC."""

    id: int
    state: RunState
    scheduled_for: datetime
    started_at: datetime | None
    finished_at: datetime | None
    lateness: timedelta | None
    duration: timedelta | None
    message: str
    metadata: dict[str, Any]


@dataclass(frozen=True, slots=True)
class InterruptedRun:
    """A run that was running when its scheduler died."""

    id: int
    node: str
    heartbeat_at: datetime
    """When its scheduler was last heard of (UTC)."""

    def words(self, clock: Clock) -> str:
        """Return a clause such as "was running when here:7 died, last heard of at ..."."""
        at = clock.full(self.heartbeat_at)
        return f"was running when {self.node} died, last heard of at {at}"


@dataclass(frozen=True, slots=True)
class JobStatus:
    """One job, as it is shown. All moments are in UTC."""

    name: str
    description: str
    app: str
    """The label of the app whose code declares it; empty if that is no installed app's."""
    cron: str
    timezone: str
    schedule: str
    """The schedule in words; why it cannot be computed, if it cannot."""
    problem: str
    """Why the schedule cannot be computed, naming the bad value; empty if it can."""
    jitter: int
    policies: Policies
    state: JobState
    running_run_ids: tuple[int, ...]
    """The runs that are running now, the oldest first."""
    interrupted_runs: tuple[InterruptedRun, ...]
    """Runs that nothing carries out any more, though they have not ended; the oldest first."""
    is_paused: bool
    paused_at: datetime | None
    paused_by: str
    pause_reason: str
    paused_until: datetime | None
    """When the pause ends by itself; None: when a person resumes the job."""
    is_orphaned: bool
    is_added: bool
    """People have added it: no code declares it."""
    next_run: datetime | None
    """When it is due next, jitter included; None while it is paused or orphaned."""
    is_overdue: bool
    """`next_run` has passed, and no scheduler has claimed it in time."""
    last_run: RunSummary | None
    """The last finished run whose function was called."""
    last_outcome: RunSummary | None
    """The last thing recorded: `last_run`, or a later occurrence that was skipped or missed."""
    run_count: int
    error_count: int
    skip_count: int
    miss_count: int
    overrides: dict[str, Any]
    """What people have set in place of the code's declaration."""
    declared: dict[str, Any]
    """What the code declares of the same fields."""
    etag: str
    """Changes whenever people change what the job does, never with a run."""

    @property
    def is_running(self) -> bool:
        return bool(self.running_run_ids)

    @property
    def last_error(self) -> str | None:
        """Why the last outcome is not a success; None if it is one, or if there is none."""
        if self.last_outcome is None or self.last_outcome.state == RunState.SUCCESS:
            return None
        return self.last_outcome.message


@dataclass(frozen=True, slots=True)
class SchedulerStatus:
    """The whole scheduler at one moment; jobs in order of their names."""

    health: SchedulerHealth
    jobs: tuple[JobStatus, ...]

    @property
    def running(self) -> bool:
        """Whether at least one scheduler process is alive and works."""
        return self.health.is_running

    @property
    def nodes(self) -> tuple[str, ...]:
        """The names of the living scheduler processes."""
        return tuple(node.name for node in self.health.nodes if node.is_alive)


def scheduler_running() -> bool:
    """Return whether at least one scheduler process is alive and works."""
    return scheduler_health().is_running


def living_nodes() -> tuple[str, ...]:
    """Return the names of the living scheduler processes."""
    return tuple(Node.objects.alive().order_by("name").values_list("name", flat=True))


def scheduler_status() -> SchedulerStatus:
    """Return all nodes and jobs, in a number of queries that does not depend on how many there
    are."""
    return SchedulerStatus(scheduler_health(), tuple(job_statuses(Job.objects.all())))


def job_status(name: str) -> JobStatus:
    """Return one job. Raises JobNotFound."""
    for status in job_statuses(Job.objects.filter(name=name)) if can_be_name(name) else ():
        return status
    raise JobNotFound(one_line(name, MAX_NAME))


def run_summary(run_id: int) -> RunSummary:
    """Return one run. Raises RunNotFound."""
    run = JobRun.objects.filter(pk=run_id).defer("traceback", "log").first()
    if run is None:
        raise RunNotFound(run_id)
    return summary(run)


def job_statuses(jobs: JobQuerySet, names: Collection[str] | None = None) -> list[JobStatus]:
    """Return the statuses of these jobs, in their order, in a constant number of queries. `names`:
    theirs, if they are few."""
    return statuses_of(list(annotated(jobs)), names)


def annotated(jobs: JobQuerySet) -> QuerySet[Any]:
    """Return these jobs with what statuses_of() needs of each."""
    due_at = timetable_rows().filter(id=Concat(Value(PREFIX), OuterRef("name")))
    return jobs.counted().annotate(
        last_outcome_id=_latest(JobRun.objects.finished()),
        last_run_id=_latest(JobRun.objects.executed()),
        next_run=Subquery(due_at.values("next_run_time")),
        is_added=Exists(AddedJob.objects.filter(name=OuterRef("name"))),
    )


def statuses_of(
    rows: Sequence[Any], names: Collection[str] | None = None, now: datetime | None = None
) -> list[JobStatus]:
    """Return the statuses of these rows of annotated(), in their order. `now`: what the database's
    clock says, if that is known."""
    if not rows:
        return []
    overdue = overdue_before(now)
    which = {} if names is None else {"job_name__in": names}
    running, interrupted = _going(**which)
    wanted = {pk for row in rows for pk in (row.last_outcome_id, row.last_run_id) if pk}
    runs = _summaries(wanted)
    return [_status(row, running[row.name], interrupted[row.name], runs, overdue) for row in rows]


def overdue_before(now: datetime | None = None) -> datetime:
    """Return the moment before which nothing that was due then should still be unclaimed."""
    heartbeats = OVERDUE_AFTER * scheduler_settings().heartbeat
    return (now or database.now()) - timedelta(seconds=heartbeats)


def interrupted_runs(**which: Any) -> defaultdict[str, list[InterruptedRun]]:
    """Return each job's runs that were running when their scheduler died, the oldest first; only
    those to which these lookups apply."""
    return _going(**which)[1]


def _going(
    **which: Any,
) -> tuple[defaultdict[str, list[int]], defaultdict[str, list[InterruptedRun]]]:
    """Return each job's runs that are running, and those of which the scheduler died."""
    running = defaultdict[str, list[int]](list)
    interrupted = defaultdict[str, list[InterruptedRun]](list)
    nodes: QuerySet[Any] = Node.objects.with_heartbeat().filter(pk=OuterRef("node"))
    is_dead = ExpressionWrapper(on_dead_node(), output_field=BooleanField())
    runs = JobRun.objects.running().filter(**which).order_by("id")
    rows = runs.values_list(
        "job_name", "id", "node__name", is_dead, Subquery(nodes.values("heartbeat_at"))
    )
    for job_name, run_id, node, dead, heartbeat_at in rows:
        if dead:
            interrupted[job_name].append(InterruptedRun(run_id, node, heartbeat_at))
        else:
            running[job_name].append(run_id)
    return running, interrupted


def on_dead_node() -> Q:
    """Return the condition of runs whose scheduler is not alive. Of a run without one, nothing is
    known."""
    alive = Exists(Node.objects.alive().filter(pk=OuterRef("node")))
    return Q(~alive, node__isnull=False)


def _latest(runs: "QuerySet[JobRun]") -> Subquery:
    """Return the newest of these runs for the job of the outer query."""
    newest = runs.filter(job_name=OuterRef("name")).order_by("-finished_at")
    return Subquery(newest.values("pk")[:1])


def _summaries(ids: Iterable[int]) -> dict[int, RunSummary]:
    found: dict[int, RunSummary] = {}
    ordered = sorted(ids)
    for start in range(0, len(ordered), QUERY_PARAMETERS):
        batch = ordered[start : start + QUERY_PARAMETERS]
        rows = JobRun.objects.filter(pk__in=batch).values(*SUMMARY)
        found.update((row["id"], summary(bulk.like(_BLANK, **row))) for row in rows)
    return found


def summary(run: JobRun) -> RunSummary:
    """Return a run as it is shown."""
    return RunSummary(
        id=run.pk,
        state=RunState(run.state),
        scheduled_for=run.scheduled_for,
        started_at=run.started_at,
        finished_at=run.finished_at,
        lateness=run.lateness,
        duration=run.duration,
        message=run.message,
        metadata=run.metadata,
    )


def _status(
    job: Any,
    running: list[int],
    interrupted: list[InterruptedRun],
    runs: dict[int, RunSummary],
    overdue: datetime,
) -> JobStatus:
    schedule = job.schedule.compute()
    problem = schedule.text if isinstance(schedule, Uncomputable) else ""
    may_fire = not (problem or job.is_paused or job.is_orphaned)
    is_overdue = bool(may_fire and job.next_run and job.next_run < overdue)
    return JobStatus(
        name=job.name,
        description=job.description,
        app=job.app,
        cron=job.cron,
        timezone=job.timezone,
        schedule=problem or schedule.explain(),
        problem=problem,
        jitter=job.jitter,
        policies=job.policies,
        state=_state(job, bool(problem), is_overdue, bool(running), bool(interrupted)),
        running_run_ids=tuple(running),
        interrupted_runs=tuple(interrupted),
        is_paused=job.is_paused,
        paused_at=job.paused_at,
        paused_by=job.paused_by,
        pause_reason=job.pause_reason,
        paused_until=job.paused_until,
        is_orphaned=job.is_orphaned,
        is_added=job.is_added,
        next_run=job.next_run,
        is_overdue=is_overdue,
        last_run=runs.get(job.last_run_id),
        last_outcome=runs.get(job.last_outcome_id),
        run_count=job.total_run_count,
        error_count=job.total_error_count,
        skip_count=job.total_skip_count,
        miss_count=job.total_miss_count,
        overrides=unpack(job.overrides),
        declared=unpack(job.declared),
        etag=job.etag,
    )


def _state(
    job: Job, is_broken: bool, is_overdue: bool, is_running: bool, is_interrupted: bool
) -> JobState:
    if is_broken:
        return JobState.BROKEN
    if job.is_paused:
        return JobState.PAUSED
    if is_overdue:
        return JobState.OVERDUE
    if is_running:
        return JobState.RUNNING
    if is_interrupted:
        return JobState.INTERRUPTED
    return JobState.ORPHANED if job.is_orphaned else JobState.IDLE
