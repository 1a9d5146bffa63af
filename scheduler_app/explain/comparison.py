"""Whether a job is slow, late or failing, compared with what is usual for it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from scheduler_app.explain.hanging import AT_LEAST, LONG
from scheduler_app.models import JobRun, RunState
from scheduler_app.status import JobStatus
from scheduler_app.status.recent import RecentRun

BAD = (RunState.FAILED, RunState.LOST)
SHORT = timedelta(seconds=1)
"""What takes no longer than this is never called slow."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One job's last run, or the one that is running, beside what is usual."""

    usual: timedelta | None
    """The median duration of its successes; None if there is none."""
    long: timedelta | None
    """19 of 20 successes took at most so long."""
    last: timedelta | None
    """How long the running run lasts or, failing that, the last one took."""
    is_slow: bool
    """That is longer than 19 of 20, and by a quarter than usual."""
    is_stuck: bool
    """It is running, and lasts three times as long as usual or more."""
    failure_rate: float | None
    """The share of its executed runs that failed or were lost."""
    lateness: timedelta | None
    """19 of 20 runs started at most so late."""


def compare(
    statuses: Iterable[JobStatus], recent: Mapping[str, Sequence[RecentRun]], now: datetime
) -> dict[str, Comparison]:
    """Return this for each of these jobs, of which these are the last results."""
    statuses = list(statuses)
    lasting = _lasting(statuses, now)
    return {
        status.name: _comparison(recent[status.name], lasting.get(status.name))
        for status in statuses
    }


def _lasting(statuses: Iterable[JobStatus], now: datetime) -> dict[str, timedelta]:
    """Return how long the oldest running run of each job has lasted."""
    ids = [status.running_run_ids[0] for status in statuses if status.running_run_ids]
    if not ids:
        return {}
    rows = JobRun.objects.filter(pk__in=ids, started_at__isnull=False)
    return {name: now - at for name, at in rows.values_list("job_name", "started_at") if at}


def _comparison(recent: Sequence[RecentRun], lasts: timedelta | None) -> Comparison:
    executed = [run for run in recent if run.duration is not None]
    took = [run.duration for run in executed if run.state == RunState.SUCCESS and run.duration]
    late = [max(run.lateness, timedelta()) for run in executed if run.lateness is not None]
    usual, long = share(took, 0.5), share(took, 0.95)
    last = lasts or (executed[-1].duration if executed else None)
    slow, stuck = judge(last, usual, long, is_running=lasts is not None)
    return Comparison(
        usual=usual,
        long=long,
        last=last,
        is_slow=slow or stuck,
        is_stuck=stuck,
        failure_rate=sum(r.state in BAD for r in executed) / len(executed) if executed else None,
        lateness=share(late, 0.95),
    )


def judge(
    last: timedelta | None, usual: timedelta | None, long: timedelta | None, *, is_running: bool
) -> tuple[bool, bool]:
    """Return whether a run of this length is slow, and whether it may be stuck."""
    if last is None or usual is None or long is None:
        return False, False
    is_slow = last > max(long, usual * 1.25, SHORT)
    return is_slow, is_running and last > max(AT_LEAST, usual * LONG)


def share(spans: Sequence[timedelta], quantile: float) -> timedelta | None:
    """Return the length that this share of the spans does not exceed; None if there is none."""
    ordered = sorted(spans)
    return ordered[min(len(ordered) - 1, int(quantile * len(ordered)))] if ordered else None
