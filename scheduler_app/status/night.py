"""What went wrong since a moment: a line for each job, equal errors together."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Case, Count, Max, OuterRef, Q, Subquery, Value, When
from django.db.models.functions import Coalesce, Left

from scheduler_app.models import JobRun, RunState
from scheduler_app.models.run import StartedLate
from scheduler_app.text import first_line

LATE = timedelta(minutes=1)
"""A run that started so long after it was due, or longer, was late."""
MOST_JOBS = 200
"""Of how many jobs the errors are read; others are counted."""
LOOKED_BACK, MOST_LOOKED_BACK = 100, 50
"""In how many of a job's last runs a last good one of before the moment is looked for, and of how
many jobs."""
LONGEST_MESSAGE = 2_000
TROUBLES = (RunState.FAILED, RunState.LOST, RunState.MISSED)
_NUMBER = re.compile(r"0x[0-9a-f]+|\d+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class JobTrouble:
    """What went wrong with one job. All moments are in UTC."""

    job_name: str
    failed: int
    lost: int
    missed: int
    late: int
    """Runs that started LATE, whatever became of them."""
    recovered: int
    """Failures made good: retries, and runs on request of what had failed, that succeeded."""
    is_over: bool
    """Whether the job has succeeded, or started in time, since."""
    run_id: int
    """The last run that had trouble."""
    state: RunState
    """That run's; SUCCESS if all that went wrong is that it was late."""
    at: datetime
    """When that run ended."""
    message: str
    """The first line of its error."""
    last_good_id: int | None
    """The last success; None: none since the moment, nor among its last LOOKED_BACK runs."""
    last_good_at: datetime | None

    @property
    def count(self) -> int:
        """How many runs had trouble, the late ones only if there were no others."""
        return self.failed + self.lost + self.missed or self.late

    @property
    def is_late_only(self) -> bool:
        return not (self.failed or self.lost or self.missed)


@dataclass(frozen=True, slots=True)
class TroubleGroup:
    """Jobs whose last errors are equal, but for numbers."""

    message: str
    state: RunState
    is_over: bool
    jobs: tuple[JobTrouble, ...]


@dataclass(frozen=True, slots=True)
class Night:
    """What went wrong since a moment (UTC)."""

    since: datetime
    groups: tuple[TroubleGroup, ...]
    """What is not over comes first."""
    urgent: int
    """Jobs whose trouble is not over, in a group or not."""
    untold: int
    """Jobs with trouble that are in no group."""

    @property
    def jobs(self) -> Iterator[JobTrouble]:
        return (job for group in self.groups for job in group.jobs)


def night(since: datetime) -> Night:
    """Return what went wrong with runs that ended since this moment: two queries."""
    rows = sorted(_counts(since), key=_urgency)
    urgent = sum(not _is_over(row) for row in rows)
    groups = _grouped(_told(rows[:MOST_JOBS]))
    return Night(since, groups, urgent, max(len(rows) - MOST_JOBS, 0))


def _counts(since: datetime) -> Iterable[Any]:
    """Return the counts of each job that had trouble."""
    trouble, success = Q(state__in=TROUBLES), Q(state=RunState.SUCCESS)
    late = Q(StartedLate(LATE // timedelta(minutes=1)))
    made_good = success & (Q(attempt__gt=1) | Q(rerun_of__isnull=False))
    # By an expression: to group by the column, SQLite would go through all of another index than
    # that of ends.
    name = Coalesce("job_name", Value(""))
    counts = JobRun.objects.filter(finished_at__gte=since).order_by().values(name=name)
    return counts.annotate(
        failed=Count("pk", filter=Q(state=RunState.FAILED)),
        lost=Count("pk", filter=Q(state=RunState.LOST)),
        missed=Count("pk", filter=Q(state=RunState.MISSED)),
        late=Count("pk", filter=late),
        recovered=Count("pk", filter=made_good),
        last_trouble=Max("pk", filter=trouble),
        last_late=Max("pk", filter=late),
        last_success=Max("pk", filter=success),
        last_success_at=Max("finished_at", filter=success),
    ).filter(Q(last_trouble__isnull=False) | Q(last_late__isnull=False))


def _urgency(row: dict[str, Any]) -> tuple[Any, ...]:
    troubles = row["failed"] + row["lost"] + row["missed"]
    return (_is_over(row), not troubles, -troubles, -row["late"], row["name"])


def _is_over(row: dict[str, Any]) -> bool:
    """Return whether the job has succeeded since; a run that was late and succeeded is over."""
    last = row["last_trouble"] or row["last_late"]
    return bool((row["last_success"] or 0) > last - (not row["last_trouble"]))


def _told(rows: list[dict[str, Any]]) -> Iterator[JobTrouble]:
    runs = _last_runs(rows) if rows else {}
    for row in rows:
        pk = row["last_trouble"] or row["last_late"]
        if pk not in runs:  # deleted meanwhile
            continue
        state, at, message, good_id, good_at = runs[pk]
        yield JobTrouble(
            job_name=row["name"],
            failed=row["failed"],
            lost=row["lost"],
            missed=row["missed"],
            late=row["late"],
            recovered=row["recovered"],
            is_over=_is_over(row),
            run_id=pk,
            state=RunState(state),
            at=at,
            message=first_line(message) if row["last_trouble"] else "",
            last_good_id=row["last_success"] or good_id,
            last_good_at=row["last_success_at"] or good_at,
        )


def _last_runs(rows: list[dict[str, Any]]) -> dict[int, tuple[Any, ...]]:
    """Return state, end and message of the runs that had trouble last, and the last good ones of
    jobs that have had none since."""
    ids = {row["last_trouble"] or row["last_late"]: row["last_success"] for row in rows}
    unknown = [pk for pk, success in ids.items() if success is None][:MOST_LOOKED_BACK]
    of_job = JobRun.objects.executed().filter(job_name=OuterRef(OuterRef("job_name")))
    last_runs = of_job.order_by("-finished_at").values("pk")[:LOOKED_BACK]
    good = JobRun.objects.filter(pk__in=last_runs, state=RunState.SUCCESS).order_by("-finished_at")

    def of_last_good(column: str) -> Case:
        return Case(When(pk__in=unknown, then=Subquery(good.values(column)[:1])))

    found = JobRun.objects.filter(pk__in=list(ids)).annotate(
        start=Left("message", LONGEST_MESSAGE),
        good=of_last_good("pk"),
        good_at=of_last_good("finished_at"),
    )
    columns = ("pk", "state", "finished_at", "start", "good", "good_at")
    return {pk: tuple(values) for pk, *values in found.values_list(*columns)}


def _grouped(jobs: Iterable[JobTrouble]) -> tuple[TroubleGroup, ...]:
    """Return groups in the order of their first jobs."""
    groups = defaultdict[Any, list[JobTrouble]](list)
    for job in jobs:
        error = _NUMBER.sub("0", job.message)
        groups[job.is_over, job.is_late_only or job.state, error].append(job)
    return tuple(
        TroubleGroup(same[0].message, same[0].state, same[0].is_over, tuple(same))
        for same in groups.values()
    )
