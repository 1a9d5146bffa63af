"""What is planned: when jobs are due next, and what keeps the others from it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import islice, pairwise

from django.db.models import OuterRef, Subquery
from django.db.models.functions import Substr

from scheduler_app.cron import Fires, Schedule, Uncomputable
from scheduler_app.models import Job, timetable_rows
from scheduler_app.models.timetable import PREFIX

MOST_JOBS = 500
"""How many planned, and how many paused jobs are read: those due soonest, and paused last."""
SINGLY = 3
"""A job that is due more often within the time looked at has one line."""
MOST_FIRES = 200
"""So far a job's occurrences are counted."""
BUDGET = 3_000
"""So many occurrences are computed for one look, of all jobs together."""


@dataclass(frozen=True, slots=True)
class PlannedJob:
    """A job that is due, or would be if it were not paused. All moments are in UTC."""

    name: str
    schedule: Schedule
    next_run: datetime | None
    """None: it is paused."""
    paused_at: datetime | None = None
    paused_by: str = ""
    pause_reason: str = ""
    paused_until: datetime | None = None

    def is_paused_at(self, moment: datetime) -> bool:
        """Return whether an occurrence of this moment falls into the pause."""
        if self.paused_at is None:
            return False
        return self.paused_until is None or moment <= self.paused_until


@dataclass(frozen=True, slots=True)
class Planned:
    """The jobs that are due next."""

    jobs: tuple[PlannedJob, ...]
    """The soonest first."""
    known_to: datetime | None
    """What is due up to this moment is all there; None: all that will ever be."""


@dataclass(frozen=True, slots=True)
class Line:
    """One occurrence, or several of one job, that are to come."""

    at: datetime
    """When it is due, or the first of them is (UTC)."""
    job: PlannedJob
    schedule: str
    """In words."""
    count: int
    """How many occurrences the line stands for."""
    is_counted: bool
    """False: there may be more."""
    is_paused: bool
    """It will not run."""
    overruns: bool
    """The job's run before it will probably not have ended by then."""
    duration: timedelta | None
    """How long it usually takes."""
    together: int = 0
    """How many other jobs are due at the same second as the (first) occurrence."""


def planned_jobs(most: int = MOST_JOBS) -> Planned:
    """Return the jobs that are due next, at most so many: one query, by the timetable's index."""
    of_row = Job.objects.filter(name=OuterRef("name"))
    columns = ("cron", "timezone", "jitter")
    rows = (
        timetable_rows()
        .filter(next_run_time__isnull=False)
        .order_by("next_run_time", "id")
        .annotate(name=Substr("id", len(PREFIX) + 1))
        .annotate(**{f"job_{each}": Subquery(of_row.values(each)) for each in columns})
        .values_list("name", "next_run_time", *(f"job_{each}" for each in columns))
    )
    found = list(rows[: most + 1])
    jobs = tuple(
        PlannedJob(name, Schedule(cron, zone, jitter, name), due)
        for name, due, cron, zone, jitter in found[:most]
        if cron is not None
    )
    return Planned(jobs, found[most][1] if len(found) > most else None)


def paused_jobs(most: int = MOST_JOBS) -> tuple[PlannedJob, ...]:
    """Return the pauses in force, the last one first: one query."""
    rows = Job.objects.paused().declared().order_by("-paused_at", "name")[:most]
    columns = ("name", "cron", "timezone", "jitter")
    pause = ("paused_at", "paused_by", "pause_reason", "paused_until")
    return tuple(
        PlannedJob(
            name=row.name,
            schedule=row.schedule,
            next_run=None,
            paused_at=row.paused_at,
            paused_by=row.paused_by,
            pause_reason=row.pause_reason,
            paused_until=row.paused_until,
        )
        for row in rows.only(*columns, *pause)
    )


def upcoming(
    jobs: Iterable[PlannedJob],
    now: datetime,
    until: datetime,
    durations: Mapping[str, timedelta],
    busy_until: Mapping[str, datetime],
) -> list[Line]:
    """Return the occurrences from now on, in order of time. `durations`: how long runs of a job
    usually take; `busy_until`: when those that are running will probably end."""
    look = _Look(now, until)
    lines: list[Line] = []
    due = list[list[datetime]]()
    for job in jobs:
        fires = job.schedule.compute()
        if isinstance(fires, Uncomputable):
            continue
        found, is_counted = look.occurrences(fires, job)
        paused = [moment for moment in found if job.is_paused_at(moment)]
        kept = [moment for moment in found if not job.is_paused_at(moment)] if paused else found
        due.append(kept)
        tell = partial(_lines, job, fires.explain(), is_counted, durations.get(job.name))
        lines += tell(paused, True, None)
        lines += tell(kept, False, busy_until.get(job.name))
    jobs_at = _jobs_at(due)
    return sorted(
        (replace(line, together=_others(line, jobs_at)) for line in lines),
        key=lambda line: (line.at, line.job.name),
    )


class _Look:
    """Computes occurrences of many jobs: once for those that share a schedule, and in all not more
    than the budget."""

    def __init__(self, now: datetime, until: datetime) -> None:
        self._now, self._until = now, until
        self._budget = BUDGET
        self._known: dict[object, tuple[list[datetime], bool]] = {}

    def occurrences(self, fires: Fires, job: PlannedJob) -> tuple[list[datetime], bool]:
        """Return when the job is due, at least the first time, and whether that is all."""
        first = job.next_run or self._next(fires)
        if first is None or first > self._until:
            return [], True
        key = (fires.expression, fires.timezone, first, job.name if fires.jitter else "")
        if key not in self._known:
            most = min(MOST_FIRES, max(self._budget, 1))
            found = [fire.due_at for fire in islice(fires.due(first, self._until), most)]
            self._budget -= len(found)
            self._known[key] = found, len(found) < most
        return self._known[key]

    def _next(self, fires: Fires) -> datetime | None:
        fire = fires.next(self._now)
        return fire.due_at if fire else None


def _jobs_at(due: list[list[datetime]]) -> Counter[datetime]:
    """Return how many of these jobs are due at each second. Those that share a schedule share their
    list."""
    sharing = Counter(map(id, due))
    jobs_at = Counter[datetime]()
    for moments in {id(each): each for each in due}.values():
        for second in {_second(moment) for moment in moments}:
            jobs_at[second] += sharing[id(moments)]
    return jobs_at


def _others(line: Line, jobs_at: Counter[datetime]) -> int:
    return jobs_at[_second(line.at)] - (not line.is_paused)


def _lines(
    job: PlannedJob,
    words: str,
    is_counted: bool,
    duration: timedelta | None,
    moments: list[datetime],
    is_paused: bool,
    busy_until: datetime | None,
) -> Iterator[Line]:
    if not moments:
        return
    is_busy = busy_until is not None and busy_until > moments[0]
    is_long = duration is not None and any(b - a < duration for a, b in pairwise(moments))
    if len(moments) > SINGLY or not is_counted:
        overruns = is_busy or (is_long and not is_paused)
        yield Line(moments[0], job, words, len(moments), is_counted, is_paused, overruns, duration)
        return
    for moment in moments:
        overruns = is_busy if moment == moments[0] else is_long and not is_paused
        yield Line(moment, job, words, 1, True, is_paused, overruns, duration)


def _second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)
