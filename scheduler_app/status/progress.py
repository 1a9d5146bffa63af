"""What runs say while they run: elapsed time, log, reported values, progress."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from scheduler_app.exceptions import RunNotFound
from scheduler_app.metadata import Progress, read_progress
from scheduler_app.models import JobRun, RunProgress, RunState, database

LOG_TAIL = 8_192
"""How many characters of a log its tail has."""


@dataclass(frozen=True, slots=True)
class LiveRun:
    """What is known of a run now: of one that is running, what it said up to `flushed_at`, about a
    second ago; of one that has ended, its outcome. All moments are in UTC."""

    state: RunState
    elapsed: timedelta | None
    """Since its start, or from start to end; None if it has not begun, or never ran."""
    log_tail: str
    metadata: dict[str, Any]
    progress: Progress
    flushed_at: datetime | None
    """When what it said was stored; None if it has said nothing yet."""

    @property
    def is_running(self) -> bool:
        return self.state == RunState.RUNNING

    @property
    def done(self) -> float | None:
        return self.progress.done

    @property
    def total(self) -> float | None:
        return self.progress.total

    @property
    def text(self) -> str:
        return self.progress.text


def live_run(run_id: int, tail: int = LOG_TAIL) -> LiveRun:
    """Return what is known of the run now, with the last `tail` characters of its log. Raises
    RunNotFound."""
    rows = JobRun.objects.select_related("live").defer("traceback")
    run = rows.filter(pk=run_id).first() if -(2**63) <= run_id < 2**63 else None
    if run is None:
        raise RunNotFound(run_id)
    told = said(run)
    return LiveRun(
        state=RunState(run.state),
        elapsed=_elapsed(run),
        log_tail=told.log[-tail:] if tail else "",
        metadata=told.metadata,
        progress=read_progress(told.progress),
        flushed_at=told.at if isinstance(told, RunProgress) else run.finished_at,
    )


def said(run: JobRun) -> JobRun | RunProgress:
    """Return the row that has the log, the metadata and the progress of this run: if it is running,
    the one that has what it said so far. Selects `live` if it is not selected."""
    told: RunProgress | None = getattr(run, "live", None) if run.state == RunState.RUNNING else None
    is_its = told is not None and told.run_created_at == run.created_at
    return told if told is not None and is_its else run


def _elapsed(run: JobRun) -> timedelta | None:
    if run.started_at is None or run.finished_at is not None:
        return run.duration
    return max(database.now() - run.started_at, timedelta())
