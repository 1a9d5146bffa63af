"""Run now."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any

from scheduler_app import added
from scheduler_app.control.actor import Action, Actor, kept, sentence
from scheduler_app.control.selection import audit_changes, on_jobs, single
from scheduler_app.control.transaction import Changes
from scheduler_app.exceptions import ActionRefused, ArgumentsError, Busy
from scheduler_app.ledger import transitions
from scheduler_app.models import Job, JobRun, database
from scheduler_app.policies import MAX_NAME, Overlap
from scheduler_app.registry import registry
from scheduler_app.text import is_storable, one_line

ARGUMENTS_LIMIT = 10_000
"""Characters of a run's arguments, as JSON."""


def trigger(
    name: str,
    *,
    by: Actor,
    reason: str = "",
    arguments: Mapping[str, Any] | None = None,
    overlap: Overlap | None = None,
    etag: str = "",
) -> JobRun:
    """Ask for one run as soon as a scheduler can, of a paused job too; returns the queued run. Its
    function is called with these keyword arguments: values of JSON.

    `overlap`: what happens if the job has runs that have not ended. With None, it waits for them
    unless the job's own policy is to allow it. With an `etag`, only if that is still the job's.
    Raises JobNotFound, ArgumentsError, EtagMismatch, Busy, and ActionRefused if the job is
    orphaned, a request with the same arguments waits already, or the job is busy and `overlap` is
    SKIP."""
    asked = _Asked(by, kept(reason), _checked(name, arguments or {}), overlap)
    runs: list[JobRun] = []
    single(_trigger([name], runs, asked, etag))
    return runs[0]


def trigger_many(names: Collection[str], *, by: Actor, reason: str = "") -> Changes:
    """Ask for a run of each of these jobs in one transaction; BATCH of them at most. Raises
    Busy."""
    return _trigger(names, [], _Asked(by, kept(reason)))


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a person asks for."""

    by: Actor
    reason: str
    arguments: dict[str, Any] | None = None
    overlap: Overlap | None = None


def _trigger(names: Collection[str], runs: list[JobRun], asked: _Asked, etag: str = "") -> Changes:
    """Add the queued runs to this list."""

    def trigger_all(jobs: list[Job], changes: Changes) -> None:
        waiting = _requests([job.name for job in jobs], asked.arguments)
        busy = _busy(jobs) if asked.overlap == Overlap.SKIP else {}
        for job in jobs:
            why_not = _refusal(job, waiting.get(job.name), busy.get(job.name))
            if why_not:
                changes.refused[job.name] = ActionRefused(why_not)
            else:
                changes.changed.append(job.name)
        now = database.now()
        if asked.overlap == Overlap.CANCEL_PREVIOUS:
            _cancel_previous(changes, now, asked)
        runs[:] = transitions.request(
            changes.changed,
            now,
            asked.by.name,
            arguments=asked.arguments,
            may_overlap=asked.overlap == Overlap.ALLOW,
        )
        audit_changes(Action.TRIGGER, asked.by, _words(asked), changes)

    return on_jobs(names, trigger_all, etag)


def _checked(name: str, arguments: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the arguments as they are kept; None for none. Raises ArgumentsError."""
    if not arguments:
        return None
    try:
        text = json.dumps(dict(arguments), allow_nan=False)
    except (TypeError, ValueError) as error:
        text = f"Arguments of a run are values of JSON, by their names: {error}."
        raise ArgumentsError(text) from error
    values: dict[str, Any] = json.loads(text)
    if len(text) > ARGUMENTS_LIMIT or not all(map(is_storable, _texts(values))):
        raise ArgumentsError(
            f"Arguments of a run have at most {ARGUMENTS_LIMIT:,} characters as JSON, and no NUL "
            "or lone surrogate."
        )
    definition = added.find(name, registry)
    if definition is None:
        raise ArgumentsError(
            f"The code of this process declares no job {one_line(name, MAX_NAME)}, so it cannot "
            "tell whether the arguments fit."
        )
    definition.check_arguments(values)
    return values


def _texts(value: object) -> Iterator[str]:
    """Yield every text in a value of JSON."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        items = chain(value, value.values()) if isinstance(value, dict) else value
        for item in items:
            yield from _texts(item)


def _requests(names: Collection[str], arguments: dict[str, Any] | None) -> dict[str, int]:
    """Return, for each of these jobs that has one, the queued run on request that has the same
    arguments."""
    waiting = JobRun.objects.queued().requests().filter(job_name__in=names)
    rows = waiting.values_list("job_name", "pk", "arguments")
    return {name: pk for name, pk, found in rows if found == arguments}


def _busy(jobs: Iterable[Job]) -> dict[str, int]:
    """Return, for each of these jobs that has one, the oldest run that has not ended."""
    active = JobRun.objects.active().filter(job_name__in=[job.name for job in jobs])
    return dict(active.order_by("-pk").values_list("job_name", "pk"))


def _cancel_previous(changes: Changes, now: datetime, asked: _Asked) -> None:
    """End the runs of the jobs that are to be run. What others have locked refuses its job."""
    reason = sentence("Cancelled: another run was asked for", asked.by, asked.reason)
    for name in transitions.cancel_previous(changes.changed, now, reason, with_requests=True):
        changes.changed.remove(name)
        changes.refused[name] = Busy(
            f"{name}: another transaction holds a run that is to be cancelled. Nothing was "
            "changed; try again."
        )


def _words(asked: _Asked) -> str:
    """Return what the audit log keeps, besides who asked."""
    overlap = f"With overlap {asked.overlap}." if asked.overlap else ""
    return f"{overlap} {asked.reason}".strip()


def _refusal(job: Job, waiting: int | None, busy: int | None) -> str:
    if job.is_orphaned:
        return f"Job {job.name} cannot be run: no scheduler's code declares it any more."
    if waiting:
        return f"Job {job.name} is queued already: run {waiting} waits to start."
    if busy:
        return f"Job {job.name} is not run: run {busy} has not ended."
    return ""
