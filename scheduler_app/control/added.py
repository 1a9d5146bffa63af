"""Add a job that no code declares, and delete one."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from scheduler_app import added
from scheduler_app.control.actor import Action, Actor, audit, kept, sentence
from scheduler_app.control.transaction import carry_out
from scheduler_app.exceptions import (
    ActionRefused,
    DeclarationError,
    EtagMismatch,
    JobNotFound,
    RequestError,
)
from scheduler_app.ledger import history, schedules, timetable, transitions
from scheduler_app.models import AddedJob, Job, JobRun, RunState, change, database
from scheduler_app.models.job import can_be_name
from scheduler_app.models.override import OVERRIDABLE, pack, unpack
from scheduler_app.policies import MAX_NAME
from scheduler_app.registry import registry
from scheduler_app.text import one_line, shown


def add(
    name: str,
    *,
    by: Actor,
    values: Mapping[str, Any],
    function: str = "",
    command: str = "",
    arguments: Mapping[str, Any] | Sequence[str] | None = None,
    description: str = "",
    reason: str = "",
) -> None:
    """Add a job that calls a function of registry.functions with these keyword arguments, or a
    command of SCHEDULER["addable_commands"] with these words. `values` are of OVERRIDABLE: the
    schedule and zone at least. It fires as soon as a scheduler has seen it, within a heartbeat.
    Raises CronError and DeclarationError for what no code could declare, RequestError for a field
    that is not there, ActionRefused if there is a job of this name, and Busy."""
    asked = {"function": function, "command": command, "description": description}
    row = _checked(name, values, arguments, **asked)
    row.added_by = by.name
    reason = kept(reason)

    def add_one() -> None:
        now = row.added_at = database.now()
        _check_name(name)
        row.save(force_insert=True)
        ends = history.ends([name])
        moments = {name: max(now, ends.get(name, now))}
        timetable.add({name: None})
        timetable.lock([name])
        job = Job(name=name, pruned_to=ends.get(name), **added.declaration(row))
        job.save(force_insert=True)
        schedules.begin([job], moments, sentence("Added", by, reason))
        timetable.advance({name: schedules.next_due(job, moments[name])})
        change.note_jobs([name])
        what = f"{function or command}, {job.cron}"
        audit(Action.ADD, by, [(name, f"{what}. {reason}".strip(), True)])

    carry_out(add_one, [name])


def plan_add(
    name: str,
    *,
    values: Mapping[str, Any],
    arguments: Mapping[str, Any] | Sequence[str] | None = None,
    **asked: str,
) -> None:
    """Raise what add() would raise, and add nothing."""
    _checked(name, values, arguments, **asked)
    _check_name(name)


def _checked(
    name: str,
    values: Mapping[str, Any],
    arguments: Mapping[str, Any] | Sequence[str] | None,
    **asked: str,
) -> AddedJob:
    """Return the unsaved row, of which this process's code could declare a job."""
    for field in values:
        if field not in OVERRIDABLE:
            raise RequestError(field, f"Bad field {shown(field)}: use {', '.join(OVERRIDABLE)}.")
    if bool(asked["function"]) == bool(asked["command"]):
        raise RequestError("function", "Give a function or a command, and not both.")
    row = AddedJob(name=name, arguments=_json(arguments), declaration=pack(values), **asked)
    if unpack(row.declaration) != dict(values):
        wrong = sorted(set(values).difference(unpack(row.declaration)))
        raise DeclarationError(f"Bad {', '.join(wrong)}: no job can be declared so.")
    added.definition(row, registry)
    return row


def _check_name(name: str) -> None:
    if registry.declares(name) or Job.objects.filter(name=name).exists():
        raise ActionRefused(f"There is a job {name} already: choose another name.")


def delete(name: str, *, by: Actor, reason: str = "", etag: str = "") -> None:
    """Delete a job that people have added, or that no scheduler's code declares any more: its
    schedule, its counters and what waits to run. Its history stays as long as any. With an `etag`,
    only if that is still the job's. Raises JobNotFound, EtagMismatch, Busy, and ActionRefused if
    code declares it or a run of it has begun."""
    reason = kept(reason)

    def delete_one() -> None:
        jobs = schedules.lock([name]) if can_be_name(name) else []
        if not jobs:
            raise JobNotFound(one_line(name, MAX_NAME))
        if etag and jobs[0].etag != etag:
            raise EtagMismatch(name)
        was_added, _ = AddedJob.objects.filter(name=name).delete()
        if not (was_added or jobs[0].is_orphaned):
            raise ActionRefused(f"Job {name} is declared by code: delete it there, and deploy.")
        running = JobRun.objects.running().filter(job_name=name).values_list("pk", flat=True)
        if running:
            raise ActionRefused(f"Job {name} is running, as run {running[0]}: cancel that first.")
        now = database.now()
        what = sentence("Deleted", by, reason)
        queued = JobRun.objects.queued().filter(job_name=name).select_for_update()
        transitions.close_queued(queued.order_by("-pk"), RunState.CANCELLED, now, what)
        skipped = f"Skipped: {by.name} deleted the job before it was run."
        schedules.change(jobs, now, _end, ["orphaned_at"], skipped=skipped, reason=what)
        schedules.forget(name)
        audit(Action.DELETE, by, [(name, reason, True)])

    carry_out(delete_one, [name])


def _end(job: Job) -> None:
    job.orphaned_at = job.orphaned_at or database.now()


def _json(arguments: Mapping[str, Any] | Sequence[str] | None) -> str:
    if not arguments:
        return ""
    kept = dict(arguments) if isinstance(arguments, Mapping) else list(arguments)
    try:
        return json.dumps(kept, allow_nan=False, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise DeclarationError(f"Bad arguments: use values of JSON ({error}).") from error
