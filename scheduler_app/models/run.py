"""The ledger: what became of every occurrence and of every request."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import connections, models, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from scheduler_app.models import bulk
from scheduler_app.models.node import Node
from scheduler_app.models.primary import PrimaryQuerySet
from scheduler_app.policies import MAX_NAME, Policies


class RunState(models.TextChoices):
    """QUEUED and RUNNING are transient; all others are final."""

    QUEUED = "queued", "queued"
    RUNNING = "running", "running"
    SUCCESS = "success", "success"
    FAILED = "failed", "failed"
    CANCELLED = "cancelled", "cancelled"
    LOST = "lost", "lost"
    SKIPPED = "skipped", "skipped"
    MISSED = "missed", "missed"


ACTIVE = (RunState.QUEUED, RunState.RUNNING)
DID_NOT_SUCCEED = (RunState.FAILED, RunState.LOST, RunState.MISSED)
ENDED_BADLY = (*DID_NOT_SUCCEED, RunState.CANCELLED)
_IS_ACTIVE = models.Q(state__in=ACTIVE)
_HAS_NOT_ENDED = models.Q(finished_at__isnull=True)
_HAS_ENDED = models.Q(finished_at__isnull=False)
_HAS_NOT_BEGUN = models.Q(finished_at__isnull=True, started_at__isnull=True)
"""The conditions of partial indexes. SQLite uses one only if the query repeats its condition
without a parameter, so the questions below ask for the moments, too, not for the state alone. An
index of what has ended costs nothing before the end; run_by_age finds what has not, too."""

TAKE_OVER_AFTER = timedelta(seconds=0.5)
"""A run that its node has not begun so long after its time may be taken over by another."""
PUT_BACK = timedelta(seconds=10)
"""If a run was made this much later than now, the clock has been put back since."""


class Trigger(models.TextChoices):
    """Why the run exists."""

    SCHEDULE = "schedule", "schedule"
    MANUAL = "manual", "on request"


PROGRESS = (
    *("state", "started_at", "finished_at"),
    *("message", "traceback", "metadata", "progress", "log"),
)


class StartedLate(models.Func):
    """Whether a run started so many minutes after it was due, or later. Not as Django's own sum,
    which on SQLite is a Python function, called for each row: most rows are done with once the
    minutes of both moments are compared as text."""

    output_field = models.BooleanField()

    def __init__(self, minutes: int) -> None:
        super().__init__(models.F("started_at"), models.F("due_at"))
        self.minutes = minutes

    def as_sql(self, compiler: Any, connection: BaseDatabaseWrapper, **_: Any) -> Any:  # type: ignore[override]
        started, due = (compiler.compile(each)[0] for each in self.source_expressions)
        if connection.vendor == "sqlite":
            later = f"strftime('%%Y-%%m-%%d %%H:%%M:%%f', {due}, %s)"
            same = f"substr({started}, 1, 16) <= substr({due}, 1, 16)"
            return f"(NOT {same} AND {started} >= {later})", [f"+{self.minutes} minutes"]
        return f"({started} >= {due} + %s)", [timedelta(minutes=self.minutes)]


class Held(NamedTuple):
    """What a transaction got of the runs that it asked for."""

    nodes: dict[int, int | None]
    """Which node has each of those that are now locked."""
    locked: set[int]
    """Those that other transactions hold."""
    created_at: dict[int, datetime]
    """When each of those that are now locked was created: ids begin anew in emptied tables."""


class EndedBadly(models.Func):
    """The condition of the index run_ended_badly, as its definition has it: without parameters."""

    template = "%(expressions)s IN ('{}')".format("', '".join(ENDED_BADLY))
    output_field = models.BooleanField()

    def __init__(self) -> None:
        super().__init__(models.F("state"))


class JobRunQuerySet(PrimaryQuerySet["JobRun"]):
    """The methods that write many runs at once are the hot path, and SQL: see bulk."""

    def active(self) -> JobRunQuerySet:
        """Return runs that have not ended: queued or running."""
        return self.filter(_HAS_NOT_ENDED)

    def queued(self) -> JobRunQuerySet:
        return self.filter(_HAS_NOT_BEGUN, state=RunState.QUEUED)

    def running(self) -> JobRunQuerySet:
        return self.filter(_HAS_NOT_ENDED, state=RunState.RUNNING)

    def cancel_requested(self) -> JobRunQuerySet:
        """Return runs that were asked to end early."""
        return self.exclude(cancel_requested_at=None)

    def scheduled(self) -> JobRunQuerySet:
        """Return runs of occurrences, as opposed to requests."""
        return self.filter(trigger=Trigger.SCHEDULE)

    def accounting_for(self, job_name: str, moment: datetime) -> JobRunQuerySet:
        """Return the row, if there is one, of the job's occurrence scheduled for this moment."""
        inside = models.Q(first_scheduled_for__lte=moment, scheduled_for__gte=moment)
        rows = self.scheduled().filter(job_name=job_name, attempt=1)
        return rows.filter(inside | models.Q(scheduled_for=moment))

    def ranges(self, moment: datetime) -> JobRunQuerySet:
        """Return rows that stand for several occurrences, the last scheduled for this moment or
        later."""
        return self.filter(first_scheduled_for__isnull=False, scheduled_for__gte=moment)

    def requests(self) -> JobRunQuerySet:
        """Return the first attempts of runs on request, but not of what is run again."""
        return self.filter(trigger=Trigger.MANUAL, attempt=1, rerun_of=None)

    def unassigned(self) -> JobRunQuerySet:
        """Return runs that wait for any node to take them, including retries whose time has not
        come."""
        return self.queued().filter(node=None)

    def free(self, now: datetime, node: Node) -> JobRunQuerySet:
        """Return runs that are due and that this node may take: those that no node holds, and those
        that another has not begun. The node that loses such a run does not begin it: the row names
        the new one. A run that waits while the clock is put back does not wait for its time a
        second time."""
        late = models.Q(due_at__lte=now - TAKE_OVER_AFTER, created_at__lte=now - TAKE_OVER_AFTER)
        due = models.Q(due_at__lte=now) | models.Q(created_at__gt=now + PUT_BACK)
        return self.queued().filter(due, models.Q(node=None) | (late & ~models.Q(node=node)))

    def any_waits(self, node: Node) -> bool:
        """Return whether any run waits that this node does not hold: asked at each claim, and
        answered quickly."""
        with self._connection().cursor() as cursor:
            cursor.execute(
                f"SELECT 1 FROM {self.model._meta.db_table} "  # noqa: S608
                "WHERE started_at IS NULL AND finished_at IS NULL "
                "AND (node_id IS NULL OR node_id <> %s) LIMIT 1",
                [node.pk],
            )
            return cursor.fetchone() is not None

    def due(self, now: datetime) -> JobRunQuerySet:
        """Return runs that were due at this moment or before."""
        return self.filter(due_at__lte=now)

    def assigned(self) -> JobRunQuerySet:
        """Return runs that some node has taken and that have not ended."""
        return self.active().exclude(node=None)

    def insert(self, runs: Sequence[JobRun]) -> None:
        """Insert these runs. Call it in a transaction."""
        bulk.insert(runs, self._connection())

    def hold(self, ids: Sequence[int]) -> Held:
        """Lock those of these runs that have not ended, in the order in which all lock runs, and
        skip those that other transactions hold."""
        if not ids:
            return Held({}, set(), {})
        connection = self._connection()
        lock = "FOR UPDATE SKIP LOCKED" if connection.features.has_select_for_update else ""
        these, values = bulk.any_of("id", ids, connection)
        # Their state is no condition: PostgreSQL would go through all runs that have not ended.
        query = (
            "SELECT id, node_id, finished_at, created_at "  # noqa: S608
            f"FROM {self.model._meta.db_table} WHERE {these}"
        )
        rows = bulk.read(
            f"{query} ORDER BY id DESC {lock}", [values], connection, moments=(3,), width=4
        )
        open_rows = [row for row in rows if row[2] is None]
        left = set(ids).difference(row[0] for row in rows)
        locked = self.active().filter(pk__in=left).values_list("pk", flat=True) if left else ()
        return Held(
            nodes={row[0]: row[1] for row in open_rows},
            locked=set(locked),
            created_at={row[0]: row[3] for row in open_rows},
        )

    def write(self, runs: Sequence[JobRun]) -> None:
        """Write that these (locked) runs have begun, or what became of them."""
        bulk.update(runs, PROGRESS, self._connection())

    def _connection(self) -> BaseDatabaseWrapper:
        return connections[router.db_for_write(self.model)]

    def of_stopped_nodes(self) -> JobRunQuerySet:
        """Return runs that have not ended although their node has, or has no row any more."""
        has_ended = models.Q(node__stopped_at__isnull=False) | models.Q(node__started_at=None)
        return self.active().exclude(node=None).filter(has_ended)

    def finished(self) -> JobRunQuerySet:
        return self.filter(finished_at__isnull=False)

    def ended_before(self, moment: datetime) -> JobRunQuerySet:
        """Return first attempts that finished before this moment, as did all their retries."""
        retries = self.model._default_manager.filter(first_attempt=models.OuterRef("pk"))
        later = models.Exists(retries.exclude(finished_at__lt=moment))
        return self.filter(~later, first_attempt=None, finished_at__lt=moment)

    def ended_badly(self) -> JobRunQuerySet:
        """Return runs that failed, were lost, missed or cancelled."""
        return self.finished().filter(EndedBadly())

    def executed(self) -> JobRunQuerySet:
        """Return finished runs whose function was called (not skipped, not missed)."""
        return self.finished().filter(started_at__isnull=False)


class JobRun(models.Model):
    """What became of one occurrence of a job's schedule, or of one request to run it.

    A MISSED or SKIPPED row may stand for several occurrences: `occurrences` of them, from
    `first_scheduled_for` to `scheduled_for`. The job's name is kept by value, so that history
    outlives the job."""

    job_name = models.CharField("job", max_length=MAX_NAME)
    trigger = models.CharField(max_length=10, choices=Trigger.choices, default=Trigger.SCHEDULE)
    scheduled_for = models.DateTimeField(
        help_text="The moment in the schedule; for a request, the moment of asking."
    )
    due_at = models.DateTimeField(help_text="scheduled_for plus this occurrence's jitter.")
    first_scheduled_for = models.DateTimeField(null=True, blank=True)
    occurrences = models.PositiveIntegerField(default=1)
    attempt = models.PositiveSmallIntegerField(default=1)
    first_attempt = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        db_constraint=False,  # see node
        db_index=False,
        related_name="attempts",
        help_text="For a retry: the run that failed first.",
    )
    requested_by = models.CharField(max_length=255, blank=True)
    arguments = models.JSONField(
        null=True, blank=True, help_text="The keyword arguments of a request."
    )
    may_overlap = models.BooleanField(
        default=False,
        db_default=False,
        help_text="A request that need not wait for the job's other runs.",
    )
    rerun_of = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        db_constraint=False,  # see node
        db_index=False,
        related_name="reruns",
        help_text="For a request: the run that it runs again.",
    )

    state = models.CharField(
        "result", max_length=10, choices=RunState.choices, default=RunState.QUEUED
    )
    node = models.ForeignKey(
        Node,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        db_constraint=False,  # to check one, PostgreSQL waits for a locked row
        db_index=False,
        related_name="runs",
    )
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    cancel_reason = models.TextField(blank=True)
    message = models.TextField(
        "error or reason",
        blank=True,
        help_text="The error of a failed run; why a run was skipped, missed, cancelled or lost.",
    )
    traceback = models.TextField(blank=True)
    log = models.TextField(blank=True, help_text="What the job logged and printed.")
    metadata = models.JSONField(default=dict, blank=True)
    progress = models.JSONField(
        null=True, blank=True, help_text="How far it came, as it last said: done, total, text."
    )

    policies: Policies | None = None
    """No column: the policies in force when a node took the run; None before, and if its job has no
    row."""

    objects = JobRunQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        base_manager_name = "objects"  # foreign keys are followed on the primary, too
        verbose_name = "run"
        permissions = (("cancel_jobrun", "Can cancel a run"),)
        constraints = (
            models.UniqueConstraint(
                fields=("job_name", "scheduled_for", "attempt"),
                condition=models.Q(trigger=Trigger.SCHEDULE),
                name="run_once_per_occurrence",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=RunState.values), name="run_state_is_known"
            ),
            models.CheckConstraint(
                condition=models.Q(_IS_ACTIVE, finished_at=None)
                | models.Q(~_IS_ACTIVE, finished_at__isnull=False),
                name="run_is_finished_iff_state_is_final",
            ),
            models.CheckConstraint(
                condition=~_IS_ACTIVE
                | models.Q(state=RunState.QUEUED, started_at__isnull=True)
                | models.Q(state=RunState.RUNNING, started_at__isnull=False),
                name="run_has_begun_iff_it_is_not_queued",
            ),
        )
        indexes = (
            models.Index(
                fields=("job_name", "-finished_at"), condition=_HAS_ENDED, name="run_last_outcome"
            ),
            models.Index(
                fields=("job_name", "-finished_at"),
                condition=_HAS_ENDED & models.Q(started_at__isnull=False),
                name="run_last_executed",
            ),
            models.Index(fields=("job_name",), condition=_HAS_NOT_ENDED, name="run_active"),
            models.Index(
                fields=("first_attempt",),
                condition=models.Q(first_attempt__isnull=False),
                name="run_retries",
            ),
            models.Index(
                fields=("rerun_of",),
                condition=models.Q(rerun_of__isnull=False),
                name="run_reruns",
            ),
            models.Index(fields=("due_at",), condition=_HAS_NOT_BEGUN, name="run_not_begun"),
            models.Index(fields=("finished_at",), name="run_by_age"),
            models.Index(
                fields=("finished_at",),
                condition=models.Q(state__in=ENDED_BADLY),
                name="run_ended_badly",
            ),
            models.Index(
                fields=("scheduled_for",),
                condition=models.Q(first_scheduled_for__isnull=False),
                name="run_of_several",
            ),
        )

    def __str__(self) -> str:
        return f"{self.job_name} #{self.pk}"

    @property
    def is_scheduled(self) -> bool:
        return self.trigger == Trigger.SCHEDULE

    @property
    def lateness(self) -> timedelta | None:
        """From the moment it was due to the start of its function; None if it never started."""
        return self.started_at - self.due_at if self.started_at else None

    @property
    def duration(self) -> timedelta | None:
        """From start to end; None until both are known."""
        return self.finished_at - self.started_at if self.started_at and self.finished_at else None
