"""Runs that somebody looks for, in bounded time however long the history is.

Those that have not ended come first, then those that ended last. Each part of a search reads an
index in this order; what no index knows is looked for among the newest LOOKED_THROUGH rows only."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from scheduler_app.models import Job, JobRun, JobRunQuerySet, SchedulePeriod, bulk
from scheduler_app.models.run import ACTIVE, ENDED_BADLY

MOST = 2_000
"""How many runs are found at most."""
LOOKED_THROUGH = 100_000
MOST_NAMES = 50
"""If more jobs have the text in their names, the newest runs are looked through for theirs."""
LARGEST_ID = 2**63 - 1

Row = tuple[int, datetime | None]


@dataclass(frozen=True, slots=True)
class RunQuery:
    """What is looked for; what is empty does not matter."""

    text: str = ""
    """Part of the job's name or of the error, or the number of the run."""
    job_name: str = ""
    states: frozenset[str] = frozenset()
    trigger: str = ""
    since: datetime | None = None
    """Runs that ended then or later, or have not ended."""
    until: datetime | None = None
    """Runs that ended before, or began before and have not ended."""


@dataclass(frozen=True, slots=True)
class FoundRuns:
    ids: tuple[int, ...] = ()
    """In the order in which they are shown."""
    has_more: bool = False
    """Whether there are more than MOST."""
    looked_back_to: datetime | None = None
    """Runs that ended before were not looked through; None: all were."""


def find_runs(query: RunQuery) -> FoundRuns:
    """Return the runs that are looked for."""
    rows = dict[int, datetime | None](_active(query))
    horizon: datetime | None = None
    if not query.states or query.states - set(ACTIVE):
        for source, rest in _sources(query):
            found, oldest = _newest(source, rest)
            rows.update(found)
            horizon = max(filter(None, (horizon, oldest)), default=None)
    ids = sorted(rows, key=lambda pk: _place(pk, rows[pk]), reverse=True)
    is_cut = len(ids) > MOST
    return FoundRuns(tuple(ids[:MOST]), is_cut, None if is_cut else horizon)


def _place(pk: int, finished_at: datetime | None) -> tuple[bool, float, int]:
    return finished_at is None, finished_at.timestamp() if finished_at else 0.0, pk


def _active(query: RunQuery) -> list[Row]:
    """Return those that have not ended: few, compared to those that have."""
    states = query.states & set(ACTIVE)
    if query.states and not states:
        return []
    wanted = JobRun.objects.active().filter(_besides(query, states))
    if query.text:
        wanted = wanted.filter(Q(job_name__icontains=query.text) | _has_number(query.text))
    if query.job_name:
        wanted = wanted.filter(job_name=query.job_name)
    if query.until:
        wanted = wanted.filter(created_at__lt=query.until)
    return [(pk, None) for pk in wanted.order_by("-pk").values_list("pk", flat=True)[: MOST + 1]]


def _sources(query: RunQuery) -> Iterator[tuple[JobRunQuerySet, Q]]:
    """Yield where to look among those that have ended, in the order of an index, and for what
    besides."""
    ended, states = _ended(query), query.states - set(ACTIVE)
    besides = _besides(query, states)
    is_bad = bool(states) and states <= set(ENDED_BADLY)
    listed = ended.ended_badly() if is_bad else ended
    if query.job_name:
        text = Q(message__icontains=query.text) | _has_number(query.text) if query.text else Q()
        yield ended.filter(job_name=query.job_name), besides & text
    elif not query.text:
        yield listed, besides
    else:
        names = _names(query.text)
        if len(names) > MOST_NAMES:
            yield listed, besides & Q(job_name__icontains=query.text)
        elif besides:
            yield listed, besides & Q(bulk.AnyOf("job_name", names))
        else:
            yield _of_jobs(names, ended), Q()
        told = listed if states else ended.ended_badly()
        yield told, besides & Q(message__icontains=query.text)
        if query.text.isdecimal():
            yield ended.filter(_has_number(query.text), besides), Q()


def _ended(query: RunQuery) -> JobRunQuerySet:
    ended = JobRun.objects.finished()
    if query.since:
        ended = ended.filter(finished_at__gte=query.since)
    if query.until:
        ended = ended.filter(finished_at__lt=query.until)
    return ended


def _besides(query: RunQuery, states: Collection[str]) -> Q:
    """Return what is asked for besides the order of an index."""
    found = Q(state__in=sorted(states)) if states else Q()
    return found & Q(trigger=query.trigger) if query.trigger else found


def _newest(source: JobRunQuerySet, rest: Q) -> tuple[list[Row], datetime | None]:
    """Return the newest of the source to which the rest applies and, if not all were looked
    through, up to where they were."""
    ordered, horizon = source.order_by("-finished_at"), None
    if rest:
        moments = ordered.values_list("finished_at", flat=True)
        horizon = moments[LOOKED_THROUGH : LOOKED_THROUGH + 1].first()
        ordered = ordered.filter(rest, finished_at__gt=horizon) if horizon else ordered.filter(rest)
    return list(ordered.values_list("pk", "finished_at")[: MOST + 1]), horizon


def _names(text: str) -> list[str]:
    """Return the jobs, present and past, with this text in their names, and the text itself: up to
    one more than MOST_NAMES."""
    periods = SchedulePeriod.objects.filter(job_name__icontains=text).order_by()
    jobs = Job.objects.filter(name__icontains=text).order_by()
    found = jobs.values_list("name", flat=True).union(
        periods.values_list("job_name", flat=True)  # type: ignore[arg-type]  # of another model
    )
    return list({text, *found[: MOST_NAMES + 1]})


def _of_jobs(names: list[str], ended: JobRunQuerySet) -> JobRunQuerySet:
    """Return the newest runs of each of these jobs."""
    parts = [
        JobRun.objects.order_by().filter(
            pk__in=ended.filter(job_name=name).order_by("-finished_at").values("pk")[: MOST + 1]
        )
        for name in names
    ]
    return parts[0].union(*parts[1:], all=True)


def _has_number(text: str) -> Q:
    number = int(text) if text.isdecimal() and len(text) < 20 else 0
    return Q(pk=number if number <= LARGEST_ID else 0)
