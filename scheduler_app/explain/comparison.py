"""Whether a job is slow, late or failing, compared with what is usual for it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from scheduler_app.models import JobRun, RunState
from scheduler_app.status import JobStatus
from scheduler_app.status.recent import RecentRun
from scheduler_app.status.usual import NOTHING, Usual, is_slow, is_stuck, usual

BAD = (RunState.FAILED, RunState.LOST)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One job's last run, or the one that is running, beside what is usual."""

    usual: timedelta | None
    """The median duration of its successes; None if none is known."""
    long: timedelta | None
    """19 of 20 successes took at most so long."""
    last: timedelta | None
    """How long the running run lasts or, failing that, the last one took."""
    is_slow: bool
    is_stuck: bool
    """It is running, and lasts several times as long as usual."""
    failure_rate: float | None
    """The share of its runs that failed for good."""
    lateness: timedelta | None
    """19 of 20 runs started at most so late."""


def compare(
    statuses: Sequence[JobStatus],
    recent: Mapping[str, Sequence[RecentRun]],
    now: datetime,
    begun: Mapping[int, datetime] | None = None,
    known: Mapping[str, Usual] | None = None,
) -> dict[str, Comparison]:
    """Return this for each of these jobs, of which these are the last results. If they have been
    read: when their running runs started, and what is usual."""
    if known is None:
        known = usual([status.name for status in statuses])
    lasting = _lasting(statuses, now, begun)
    found = dict[str, Comparison]()
    for status in statuses:
        name = status.name
        figures = known.get(name) or of_few(recent[name])
        found[name] = _comparison(figures, recent[name], lasting.get(name))
    return found


def _lasting(
    statuses: Iterable[JobStatus], now: datetime, begun: Mapping[int, datetime] | None
) -> dict[str, timedelta]:
    """Return how long the oldest running run of each job has lasted."""
    oldest = {
        status.running_run_ids[0]: status.name for status in statuses if status.running_run_ids
    }
    if begun is None:
        rows = JobRun.objects.filter(pk__in=oldest).values_list("pk", "started_at")
        begun = {pk: at for pk, at in rows if at} if oldest else {}
    return {name: now - begun[pk] for pk, name in oldest.items() if pk in begun}


def of_few(recent: Sequence[RecentRun]) -> Usual:
    """Return what is usual by a job's last results, until the rollups know the job."""
    executed = [run for run in recent if run.started_at is not None]
    if not executed:
        return NOTHING
    took = [run.duration for run in executed if run.state == RunState.SUCCESS and run.duration]
    late = [max(run.lateness, timedelta()) for run in executed if run.lateness is not None]
    ended = [run for run in executed if run.state in (RunState.SUCCESS, *BAD)]
    good = sum(run.state == RunState.SUCCESS for run in ended)
    return Usual(
        runs=len(ended),
        duration_p50=share(took, 0.5),
        duration_p95=share(took, 0.95),
        lateness_p50=share(late, 0.5),
        lateness_p95=share(late, 0.95),
        success_rate=good / len(ended) if ended else None,
        measured=len(took),
    )


def _comparison(figures: Usual, recent: Sequence[RecentRun], lasts: timedelta | None) -> Comparison:
    took = next((run.duration for run in reversed(recent) if run.duration is not None), None)
    last = took if lasts is None else lasts
    rate = figures.success_rate
    return Comparison(
        usual=figures.duration_p50,
        long=figures.duration_p95,
        last=last,
        is_slow=last is not None and is_slow(last, figures),
        is_stuck=lasts is not None and is_stuck(lasts, figures),
        failure_rate=None if rate is None else 1 - rate,
        lateness=figures.lateness_p95,
    )


def share(spans: Sequence[timedelta], quantile: float) -> timedelta | None:
    """Return the length that this share of the spans does not exceed; None if there is none."""
    return sorted(spans)[ceil(quantile * len(spans)) - 1] if spans else None
