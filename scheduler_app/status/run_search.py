"""Search of runs, in bounded time however long the history is.

Those that have not ended come first, then those that ended last. Each part of a search reads an
index in this order; what no index knows is looked for among the newest LOOKED_THROUGH rows only."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, Subquery

from scheduler_app.models import Job, JobRun, JobRunQuerySet, SchedulePeriod, bulk
from scheduler_app.models.run import ACTIVE, ENDED_BADLY

MOST = 2_000
"""How many runs are found at most."""
LOOKED_THROUGH = 50_000
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
    rows = dict[int, datetime | None](_active_or_numbered(query))
    ended = not query.states or bool(query.states - set(ACTIVE))
    sources = list(_sources(query)) if ended else []
    horizons = _horizons([source for source, rest in sources if rest])
    for source, rest in sources:
        rows.update(_newest(source, rest, next(horizons) if rest else None))
    ids = sorted(rows, key=lambda pk: _place(pk, rows[pk]), reverse=True)
    is_cut = len(ids) > MOST
    return FoundRuns(tuple(ids[:MOST]), is_cut, None if is_cut else horizons.latest)


def _place(pk: int, finished_at: datetime | None) -> tuple[bool, float, int]:
    return finished_at is None, finished_at.timestamp() if finished_at else 0.0, pk


def _active_or_numbered(query: RunQuery) -> list[Row]:
    """Return those that have not ended, which are few compared to those that have, and the one that
    has the text as its number."""
    wanted, states = Q(), query.states & set(ACTIVE)
    if states or not query.states:
        wanted = Q(finished_at__isnull=True) & _besides(query, states)
        if query.until:
            wanted &= Q(created_at__lt=query.until)
        if query.text:
            wanted &= Q(job_name__icontains=query.text) | _has_number(query.text)
    if query.text.isdecimal():
        ended = Q(finished_at__isnull=False) & _in_range(query)
        wanted |= _has_number(query.text) & ended & _besides(query, query.states)
    if not wanted:
        return []
    if query.job_name:
        wanted &= Q(job_name=query.job_name)
    rows = JobRun.objects.filter(wanted).order_by("-pk")
    return list(rows.values_list("pk", "finished_at")[: MOST + 1])


def _sources(query: RunQuery) -> Iterator[tuple[JobRunQuerySet, Q]]:
    """Yield where to look among those that have ended, in the order of an index, and for what
    besides."""
    ended = JobRun.objects.finished().filter(_in_range(query))
    states = query.states - set(ACTIVE)
    besides = _besides(query, states)
    is_bad = bool(states) and states <= set(ENDED_BADLY)
    listed = ended.ended_badly() if is_bad else ended
    if query.job_name:
        text = Q(message__icontains=query.text) if query.text else Q()
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


def _in_range(query: RunQuery) -> Q:
    found = Q()
    if query.since:
        found &= Q(finished_at__gte=query.since)
    if query.until:
        found &= Q(finished_at__lt=query.until)
    return found


def _besides(query: RunQuery, states: Collection[str]) -> Q:
    """Return what is asked for besides the order of an index."""
    found = Q(state__in=sorted(states)) if states else Q()
    return found & Q(trigger=query.trigger) if query.trigger else found


class _Horizons:
    """Up to where each source is looked through, one after the other: None if to its end."""

    def __init__(self, moments: Sequence[datetime | None]) -> None:
        self.latest = max(filter(None, moments), default=None)
        self._moments = iter(moments)

    def __next__(self) -> datetime | None:
        return next(self._moments)


def _horizons(sources: Sequence[JobRunQuerySet]) -> _Horizons:
    """Return them in one query."""
    if not sources:
        return _Horizons(())
    moments = [
        Subquery(source.order_by("-finished_at").values("finished_at")[LOOKED_THROUGH:][:1])
        for source in sources
    ]
    row = JobRun.objects.order_by("pk").values_list(*moments)[:1].first()
    return _Horizons(row or [None] * len(sources))


def _newest(source: JobRunQuerySet, rest: Q, horizon: datetime | None) -> list[Row]:
    """Return the newest of the source to which the rest applies and that ended after this."""
    if rest:
        source = source.filter(rest)
    if horizon:
        source = source.filter(finished_at__gt=horizon)
    return list(source.order_by("-finished_at").values_list("pk", "finished_at")[: MOST + 1])


def _names(text: str) -> list[str]:
    """Return the jobs, present and past, with this text in their names, and the text itself: up to
    one more than MOST_NAMES."""
    periods = SchedulePeriod.objects.filter(job_name__icontains=text).order_by()
    jobs = Job.objects.filter(name__icontains=text).order_by()
    found = jobs.values_list("name", flat=True).union(periods.values_list("job_name", flat=True))
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
