"""For the tests of a project: carry a job out as a scheduler would, and ask when it fires.

    from scheduler_app.testing import assert_fires, run_job

    def test_report(db):
        result = run_job("nightly-report")
        assert result.state == "success", result.traceback
        assert result.metadata == {"rows": 3}

    def test_report_is_not_written_on_sundays():
        nights = ["2026-03-28 01:00", "2026-03-30 01:00"]
        assert_fires("nightly-report", "2026-03-28", "2026-03-31", nights)

With pytest, `pytest_plugins = ["scheduler_app.pytest_plugin"]` gives `run_job` as a fixture.

No scheduler and no row of the scheduler's own is needed."""

from collections.abc import Iterable
from contextlib import nullcontext
from contextvars import copy_context
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from unittest.mock import patch
from zoneinfo import ZoneInfo

from django.utils import timezone

from scheduler_app.cron import Uncomputable
from scheduler_app.exceptions import JobNotFound
from scheduler_app.execution.runner import Outcome, outcome_of
from scheduler_app.inspection import JobFunction, wrapped
from scheduler_app.metadata import Progress
from scheduler_app.models import RunState
from scheduler_app.registry import JobContext, JobDefinition, registry

MOST = 1_000
"""How many fires are compared at most."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a run ended."""

    state: RunState
    """"success" or "failed"."""
    message: str
    """Why it failed; empty if it did not."""
    traceback: str
    metadata: dict[str, Any]
    """What the job has reported, and what it has returned, as the ledger would keep it."""
    progress: Progress
    """What the job last said with context.progress(): its done, total and text."""


def run_job(
    job: str | JobFunction,
    *,
    scheduled_for: datetime | None = None,
    freeze: datetime | None = None,
    attempt: int = 1,
    cancel: bool = False,
) -> Result:
    """Carry out a declared job, by its name or its function, in this thread and in the transaction
    of the test. What it raises is in the result. With `cancel` its context says from the start that
    it should end early. `scheduled_for` is what its context says: by default now. With `freeze`
    Django's timezone.now() says this moment during the run; Python's own clock is not changed.
    Neither `timeout` nor `isolated` nor `retries` has an effect. Raises JobNotFound."""
    definition = _definition(job)
    context = JobContext(
        job_name=definition.name,
        run_id=0,
        scheduled_for=scheduled_for or freeze or timezone.now(),
        attempt=attempt,
    )
    if cancel:
        context.cancel_reason = "Cancelled by a test."
        context.cancel_event.set()
    with patch.object(timezone, "now", lambda: freeze) if freeze else nullcontext():
        outcome: Outcome = copy_context().run(outcome_of, definition, context)
    progress = context.last_progress or Progress()
    return Result(outcome.state, outcome.message, outcome.traceback, outcome.metadata, progress)


def fires(job: str | JobFunction, after: datetime | str, before: datetime | str) -> list[datetime]:
    """Return when a declared job fires from one moment up to before another, in the job's zone and
    without jitter; a thousand times at most. A text such as "2026-03-29 02:30" is a time on the
    wall of that zone. Raises JobNotFound, and ValueError for a bad moment."""
    definition = _definition(job)
    schedule = definition.schedule.compute()
    if isinstance(schedule, Uncomputable):
        raise ValueError(schedule.text)
    zone = ZoneInfo(schedule.timezone)
    found = schedule.scheduled(_moment(after, zone), _moment(before, zone))
    return [fire.astimezone(zone) for fire in islice(found, MOST)]


def assert_fires(
    job: str | JobFunction,
    after: datetime | str,
    before: datetime | str,
    moments: Iterable[datetime | str],
) -> None:
    """Raise AssertionError unless the job fires at just these moments between those two, as fires()
    gives them."""
    found = fires(job, after, before)
    zone = ZoneInfo(_definition(job).schedule.timezone)
    wanted = [_moment(moment, zone).astimezone(zone) for moment in moments]
    found_at, wanted_at = ([_utc(moment) for moment in each] for each in (found, wanted))
    if found_at == wanted_at:
        return
    unwanted = [moment for moment in found if _utc(moment) not in wanted_at]
    lacking = [moment for moment in wanted if _utc(moment) not in found_at]
    told = [
        f"{words}: {', '.join(moment.isoformat(' ') for moment in each)}"
        for words, each in (("it fires at", unwanted), ("it does not fire at", lacking))
        if each
    ]
    raise AssertionError("; ".join(told) or "the moments are not in order")


def _definition(job: str | JobFunction) -> JobDefinition:
    if isinstance(job, str):
        found = registry.get(job)
    else:
        found = next((each for each in registry if _is_of(each, job)), None)
    if found is None:
        raise JobNotFound(job if isinstance(job, str) else getattr(job, "__name__", repr(job)))
    return found


def _is_of(definition: JobDefinition, function: JobFunction) -> bool:
    return function in (definition.function, wrapped(definition.function))


def _moment(of: datetime | str, zone: ZoneInfo) -> datetime:
    moment = datetime.fromisoformat(of) if isinstance(of, str) else of
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)
