"""The time-line: what has run and what is planned, a lane for each job."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, DateTimeField, F, FloatField, Func, Max, Min
from django.db.models.functions import Coalesce, Floor

from scheduler_app.cron import Fires, Uncomputable
from scheduler_app.models import JobRun, RunState, bulk
from scheduler_app.status.upcoming import PlannedJob

SLOTS = 300
"""Runs of one result that end within the same part, of so many, of the time shown are one bar."""
NEAR = 1 / 250
"""Bars of one result, successes and skips, that are nearer than this part of the time shown become
one."""
MOST_STEPS = 60
"""How many planned fires of a job are drawn; nearer ones become a band."""
MERGED = (RunState.SUCCESS, RunState.SKIPPED)


@dataclass(frozen=True, slots=True)
class Bar:
    """One run, or several of one result that are too near one another to be told apart."""

    state: RunState
    begin: datetime
    end: datetime
    count: int
    run_id: int
    """The run's; the last one's of several."""


@dataclass(frozen=True, slots=True)
class PlannedBar:
    """One planned fire (begin equals end), or a time in which there are many."""

    begin: datetime
    end: datetime
    is_paused: bool


@dataclass(frozen=True, slots=True)
class Lane:
    """One job's part of the time-line."""

    job_name: str
    bars: tuple[Bar, ...]
    """In order of time; those that did not succeed last, so that they are drawn above."""
    planned: tuple[PlannedBar, ...]


class _Slot(Func):
    """The number of the part of the time shown in which a moment lies."""

    output_field = FloatField()

    def __init__(self, moment: Any, begin: datetime, width: timedelta) -> None:
        super().__init__(moment)
        self.begin, self.width = begin, width

    def as_sql(self, compiler: Any, connection: Any, **_: Any) -> Any:  # type: ignore[override]
        column, parameters = compiler.compile(self.source_expressions[0])
        width = self.width.total_seconds()
        if connection.vendor == "sqlite":
            slot = f"(CAST(strftime('%%s', {column}) AS REAL) - %s) / %s"
        else:
            slot = f"(extract(epoch FROM {column}) - %s) / %s"
        return slot, [*parameters, self.begin.timestamp(), width]


def bars(names: Collection[str], begin: datetime, end: datetime) -> dict[str, list[Bar]]:
    """Return the bars of these jobs' runs that ended within this time: one query, by each job's
    index of ends."""
    moment = Coalesce("started_at", "finished_at", output_field=DateTimeField())
    rows = (
        JobRun.objects.finished()
        .filter(bulk.AnyOf("job_name", names), finished_at__gt=begin)
        .order_by()
        .values_list("job_name", "state")
        .annotate(
            slot=Floor(_Slot(F("finished_at"), begin, (end - begin) / SLOTS)),
            first=Min(moment),
            last=Max("finished_at"),
            count=Count("pk"),
            run=Max("pk"),
        )
    )
    found = defaultdict[str, list[Bar]](list)
    for name, state, _, first, last, count, run in rows if names else ():
        is_moment = state in (RunState.MISSED, RunState.SKIPPED)
        bar = Bar(RunState(state), last if is_moment and count == 1 else first, last, count, run)
        found[name].append(replace(bar, begin=max(bar.begin, begin)))
    near = (end - begin) * NEAR
    return {name: list(_merged(each, near)) for name, each in found.items()}


def _merged(bars: Iterable[Bar], near: timedelta) -> Iterator[Bar]:
    """Yield bars in order of time, the troubles last."""
    ordered = sorted(bars, key=lambda bar: (bar.state not in MERGED, bar.state, bar.begin))
    last: Bar | None = None
    for bar in ordered:
        if last and last.state == bar.state in MERGED and bar.begin - last.end < near:
            end, run = max(last.end, bar.end), max(last.run_id, bar.run_id)
            last = replace(last, end=end, count=last.count + bar.count, run_id=run)
            continue
        if last:
            yield last
        last = bar
    if last:
        yield last


def planned_bars(job: PlannedJob, now: datetime, until: datetime) -> tuple[PlannedBar, ...]:
    """Return the job's planned fires up to then, without computing each of a frequent job's."""
    fires = job.schedule.compute()
    if isinstance(fires, Uncomputable):
        return ()
    step = (until - now) / MOST_STEPS
    begin = max(job.next_run or now, now) - timedelta(microseconds=1)
    if job.paused_at is None:
        return tuple(_planned(fires, begin, until, step, is_paused=False))
    end = min(job.paused_until or until, until)
    paused = _planned(fires, now, end, step, is_paused=True)
    return (*paused, *_planned(fires, end, until, step, is_paused=False))


def _planned(
    fires: Fires, after: datetime, until: datetime, step: timedelta, is_paused: bool
) -> Iterator[PlannedBar]:
    """Yield each fire, or where they are nearer than a step to one another, all of these as one."""
    fire = fires.next(after)
    while fire and fire.due_at <= until:
        begin = end = looked_to = fire.due_at
        fire = fires.next(end)
        while fire and fire.due_at <= until and fire.due_at - looked_to < step:
            end = fire.due_at
            looked_to = end + step * 0.9
            fire = fires.next(looked_to)
        yield PlannedBar(begin, end, is_paused)


def lanes(
    names: Sequence[str],
    bars: dict[str, list[Bar]],
    planned: dict[str, tuple[PlannedBar, ...]],
) -> tuple[Lane, ...]:
    """Return one lane for each of these jobs, in this order."""
    return tuple(Lane(name, tuple(bars.get(name, ())), planned.get(name, ())) for name in names)
