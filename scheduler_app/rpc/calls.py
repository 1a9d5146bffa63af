"""What the calls of the service do, in a server for its clients or in the command line for itself.

Each takes who calls and the fields of its request in memory.proto, and returns those of its
response. An error is one of exceptions.py, or the database's."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple, TypeVar

from django.conf import settings
from django.db import Error

from scheduler_app import control, status
from scheduler_app.control import Actor
from scheduler_app.cron import Schedule, Uncomputable
from scheduler_app.exceptions import CronError, JobNotFound, RequestError, RunNotFound
from scheduler_app.explain.explain import explain
from scheduler_app.explain.preview import preview
from scheduler_app.models import Job, JobRun, RunState, Scope, database
from scheduler_app.models.faults import Fault, fault_of
from scheduler_app.models.job import can_be_name
from scheduler_app.models.patience import brief_read
from scheduler_app.policies import MAX_NAME, CatchUp, Overlap
from scheduler_app.rpc import values
from scheduler_app.rpc.pages import page
from scheduler_app.rpc.wire import FIRST_YEAR, LAST_YEAR, RUN_STATE, Values
from scheduler_app.status import JobState, lists
from scheduler_app.text import is_storable, one_line, shown

READ_TIME = 8.0
"""Seconds that one statement of a call that reads may take: less than our client waits."""
MOST_FIRES = 1_000
TOGETHER = (Overlap.QUEUE, Overlap.ALLOW)
"""How the runs of a backfill may be carried out."""

Function = Callable[..., Values]
T = TypeVar("T")


def _read(call: Function) -> Function:
    """Have a call that only reads end soon: a locked table must not hold the workers that others
    need. Ask again if the connection is lost meanwhile: nothing else may be wrong."""

    def read(by: Actor, **fields: Any) -> Values:
        return reading(partial(call, by, **fields))

    return read


def reading(read: Callable[[], T]) -> T:
    """Read as above."""
    try:
        with brief_read(READ_TIME):
            return read()
    except Error as error:
        if fault_of(error) is not Fault.AWAY:
            raise
        database.connection().close()
    with brief_read(READ_TIME):
        return read()


@_read
def get_scheduler_status(_: Actor) -> Values:
    return values.status_values(status.scheduler_status())


def pause_job(
    by: Actor, job_name: str, reason: str = "", until: datetime | None = None, etag: str = ""
) -> Values:
    error = _unknown(lambda: control.pause(job_name, by=by, reason=reason, until=until, etag=etag))
    return {"success": error is None, "error": error}


def resume_job(
    by: Actor,
    job_name: str,
    reason: str = "",
    catch_up: str = "",
    dry_run: bool = False,
    etag: str = "",
) -> Values:
    policy = CatchUp(_one_of("catch_up", catch_up or CatchUp.SKIP, CatchUp))
    try:
        plan = control.plan_resume(job_name, policy)
        if not dry_run:
            control.resume(job_name, by=by, reason=reason, catch_up=policy, etag=etag)
    except JobNotFound as error:
        return {"success": False, "error": str(error)}
    return {
        "success": True,
        "error": None,
        "caught_up_times": plan.caught_up,
        "next_run_time": plan.next_run,
        "expected_duration": _expected(job_name, len(plan.caught_up)),
    }


def pause_jobs(
    by: Actor,
    jobs: Mapping[str, Any] | None = None,
    reason: str = "",
    until: datetime | None = None,
) -> Values:
    names, unknown = _selected(jobs)
    changes = control.in_batches(
        names, partial(control.pause_many, by=by, reason=reason, until=until)
    )
    return {
        "paused_jobs": changes.changed,
        "unchanged_jobs": changes.unchanged,
        "refused_jobs": _refused(unknown | changes.refused),
    }


def resume_jobs(
    by: Actor,
    jobs: Mapping[str, Any] | None = None,
    reason: str = "",
    catch_up: str = "",
    dry_run: bool = False,
) -> Values:
    policy = CatchUp(_one_of("catch_up", catch_up or CatchUp.SKIP, CatchUp))
    names, unknown = _selected(jobs)
    plans = control.plan_resumes(names, policy)
    paused = [name for name, plan in plans.items() if plan.is_paused]
    changes = control.Changes(paused, [name for name in plans if name not in set(paused)])
    if not dry_run:
        resume = partial(control.resume_many, by=by, reason=reason, catch_up=policy)
        changes = control.in_batches(names, resume)
    return {
        "resumed_jobs": [
            {
                "job_name": name,
                "caught_up_times": caught_up,
                "next_run_time": plans[name].next_run,
                "expected_duration": _expected(name, len(caught_up)) if caught_up else None,
            }
            for name in changes.changed
            for caught_up in [plans[name].caught_up]
        ],
        "unchanged_jobs": changes.unchanged,
        "refused_jobs": _refused(unknown | changes.refused),
    }


def _selected(jobs: Mapping[str, Any] | None) -> tuple[list[str], dict[str, Exception]]:
    """Return the names of the jobs that a JobSelection selects, and why others are not there."""
    which = dict(jobs or {})
    everything = which.pop("all", False)
    wanted = [str(name) for name in which.pop("job_names", ())]
    _check_text(**which)
    is_given = bool(wanted) or any(which.values())
    if everything == is_given:
        raise RequestError("jobs", "Give all, or which jobs by names, name_prefix or app.")
    possible = [name for name in wanted if can_be_name(name)]
    found = Job.objects.matching(names=possible, **which).order_by("name")
    names = [] if wanted and not possible else list(found.values_list("name", flat=True))
    absent = {one_line(name, MAX_NAME) for name in set(wanted).difference(names)}
    return names, {name: JobNotFound(name) for name in absent}


def _refused(refused: Mapping[str, Exception]) -> list[Values]:
    return [{"job_name": name, "error": str(error)} for name, error in sorted(refused.items())]


SETTABLE = {
    "schedule": "cron",
    "timezone": "timezone",
    "jitter_seconds": "jitter",
    "catch_up": "catch_up",
    "catch_up_limit": "catch_up_limit",
    "retries": "retries",
    "retry_delay_seconds": "retry_delay",
    "retry_max_delay_seconds": "retry_max_delay",
    "pause_on_failure": "pause_on_failure",
    "overlap": "overlap",
    "timeout_seconds": "timeout",
    "isolated": "isolated",
}
"""The fields of the request that override something, each with the name that a declaration has for
it."""


def update_job_schedule(
    by: Actor,
    job_name: str,
    revert: bool = False,
    reason: str = "",
    etag: str = "",
    **fields: Any,
) -> Values:
    wanted = _set_values(fields)
    if bool(wanted) == revert:
        raise RequestError("revert", "Give what is to be in force, or revert, and not both.")
    if revert:
        control.revert(job_name, by=by, reason=reason, etag=etag)
    else:
        control.override(job_name, wanted, by=by, reason=reason, etag=etag)
    return values.job_values(status.job_status(job_name))


def _set_values(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is set of these fields, by the names that a declaration has."""
    wanted = {SETTABLE[name]: value for name, value in fields.items() if value is not None}
    return wanted | {"timeout": None} if wanted.get("timeout") == 0 else wanted


def add_job(
    by: Actor,
    job_name: str,
    function: str = "",
    command: str = "",
    arguments: Mapping[str, Any] | None = None,
    words: Sequence[str] = (),
    description: str = "",
    schedule: str = "",
    timezone: str = "",
    reason: str = "",
    **fields: Any,
) -> Values:
    if (function and words) or (command and arguments):
        field = "words" if words else "arguments"
        raise RequestError(field, "Give words to a command, and arguments to a function.")
    values_of_it = {"cron": schedule, "timezone": timezone or settings.TIME_ZONE}
    control.add(
        job_name,
        by=by,
        values=values_of_it | _set_values(fields),
        function=function,
        command=command,
        arguments=arguments or words,
        description=description,
        reason=reason,
    )
    return values.job_values(status.job_status(job_name))


def delete_job(by: Actor, job_name: str, reason: str = "", etag: str = "") -> Values:
    control.delete(job_name, by=by, reason=reason, etag=etag)
    return {}


def backfill_job(
    by: Actor,
    job_name: str,
    since: datetime | None = None,
    until: datetime | None = None,
    include_succeeded: bool = False,
    dry_run: bool = False,
    reason: str = "",
    overlap: str = "",
) -> Values:
    together = bool(overlap) and _one_of("overlap", overlap, TOGETHER) == Overlap.ALLOW
    if since is None:
        raise RequestError("since", "since is needed: the first moment of the period.")
    until = until or database.now()
    which = {"include_succeeded": include_succeeded}
    if dry_run:
        moments, ids = control.plan_backfill(job_name, since, until, **which), list[int]()
    else:
        runs = control.backfill(
            job_name, since, until, by=by, reason=reason, together=together, **which
        )
        moments, ids = [run.scheduled_for for run in runs], [run.pk for run in runs]
    expected = _expected(job_name, len(moments))
    return {"schedule_times": moments, "run_ids": ids, "expected_duration": expected}


def _expected(job_name: str, number: int) -> timedelta | None:
    """Return how long so many runs of the job take, one after the other; None if no duration is
    known."""
    spans = lists.last_durations(job_name)
    return sum(spans, timedelta()) / len(spans) * number if spans else None


def _unknown(change: Callable[[], object]) -> str | None:
    """Make the change; return the error if there is no such job: that is an answer."""
    try:
        change()
    except JobNotFound as error:
        return str(error)
    return None


def cancel_run(by: Actor, run_id: int, reason: str = "") -> Values:
    try:
        control.cancel(run_id, by=by, reason=reason)
        run = status.run_summary(run_id)
    except RunNotFound as error:
        return _cancelled(error=str(error))
    if run.state not in (RunState.RUNNING, RunState.CANCELLED):
        error_text = f"Run {run.id} had ended already: {run.state}."
        return _cancelled(error=error_text)
    return _cancelled(is_running=run.state == RunState.RUNNING)


def _cancelled(error: str | None = None, is_running: bool = False) -> Values:
    return {"success": error is None, "error": error, "is_running": is_running}


@_read
def get_job(_: Actor, job_name: str) -> Values:
    return values.job_values(status.job_status(job_name))


@_read
def list_jobs(
    _: Actor,
    page_size: int = 0,
    page_token: str = "",
    state: str = "",
    name_prefix: str = "",
    failing: bool = False,
    app: str = "",
) -> Values:
    _check_text(state=state, name_prefix=name_prefix, app=app)
    wanted = None
    if state:
        wanted = next((one for one in JobState if one.lower() == state.lower()), None)
        if wanted is None:
            raise RequestError("state", f"Bad state {shown(state)}: use one of {_all(JobState)}.")
    filters: Values = {
        "state": wanted,
        "name_prefix": name_prefix,
        "app": app,
        "is_failing": failing,
    }
    return page(
        "jobs",
        lambda limit, after: lists.jobs(limit=limit, after=after or "", **filters),
        key=lambda job: job.name,
        values=values.job_values,
        page_size=page_size,
        page_token=page_token,
        filters=filters,
    )


def run_job(
    by: Actor,
    job_name: str,
    reason: str = "",
    arguments: Mapping[str, Any] | None = None,
    etag: str = "",
    overlap: str = "",
) -> Values:
    policy = Overlap(_one_of("overlap", overlap, Overlap)) if overlap else None
    run = control.trigger(
        job_name, by=by, reason=reason, arguments=arguments, overlap=policy, etag=etag
    )
    return values.run_values(run)


def retry_run(by: Actor, run_id: int, reason: str = "") -> Values:
    return values.run_values(control.retry(run_id, by=by, reason=reason))


@_read
def get_run(_: Actor, run_id: int) -> Values:
    rows = JobRun.objects.select_related("node", "live").filter(pk=run_id)
    run = rows.first() if -(2**63) <= run_id < 2**63 else None
    if run is None:
        raise RunNotFound(run_id)
    details = {"traceback": run.traceback, "log": status.said(run).log}
    attempts = [values.run_values(attempt) for attempt in lists.attempts(run)]
    return values.run_values(run) | details | {"attempts": attempts}


@_read
def list_runs(
    _: Actor,
    page_size: int = 0,
    page_token: str = "",
    job_name: str = "",
    states: Sequence[str] = (),
    since: datetime | None = None,
    until: datetime | None = None,
    message_contains: str = "",
) -> Values:
    _check_text(job_name=job_name, message_contains=message_contains)
    filters: Values = {
        "job_name": job_name,
        "states": [_run_state(name) for name in states],
        "since": since,
        "until": until,
        "message_contains": message_contains,
    }
    return page(
        "runs",
        lambda limit, before: lists.runs(limit=limit, before=before, **filters),
        key=lambda run: run.pk,
        values=values.run_values,
        page_size=page_size,
        page_token=page_token,
        filters=filters,
    )


def _run_state(name: str) -> RunState:
    try:
        return RunState(name.removeprefix(RUN_STATE).lower())
    except ValueError:
        states = ", ".join(f"{RUN_STATE}{state.name}" for state in RunState)
        raise RequestError("states", f"Bad state {shown(name)}: use {states}.") from None


@_read
def explain_run(_: Actor, job_name: str, time: str) -> Values:
    try:
        moment = datetime.fromisoformat(time)
    except ValueError:
        text = f"Bad time {shown(time)}: use ISO 8601, such as 2026-11-24T01:00."
        raise RequestError("time", text) from None
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        years = f"the years {FIRST_YEAR} to {LAST_YEAR}, of which schedules are known"
        raise RequestError("time", f"Bad time {shown(time)}: it is outside {years}.")
    return {"explanation": explain(job_name, moment)}


@_read
def preview_schedule(
    _: Actor,
    job_name: str = "",
    schedule: str = "",
    timezone: str = "",
    count: int = 0,
    after: datetime | None = None,
) -> Values:
    if not 0 <= count <= MOST_FIRES:
        raise RequestError("count", f"Bad count {count}: use 0 to {MOST_FIRES:,}.")
    if bool(job_name) == bool(schedule):
        raise RequestError("schedule", "Give either job_name or schedule.")
    if job_name and timezone:
        raise RequestError("timezone", "timezone is for a schedule; a job has its own.")
    if schedule:
        wanted = Schedule(schedule, timezone or settings.TIME_ZONE)
    else:
        job = status.job_status(job_name)
        wanted = Schedule(job.cron, job.timezone, job.jitter, job.name)
    fires = wanted.compute()
    if isinstance(fires, Uncomputable):
        raise CronError(fires.text)
    following = preview(fires, after or database.now(), count or 10)
    return {
        "schedule": fires.explain(),
        "timezone": fires.timezone,
        "fires": [values.fire_values(each, fires.timezone) for each in following],
    }


@_read
def list_nodes(
    _: Actor, page_size: int = 0, page_token: str = "", show_stopped: bool = False
) -> Values:
    filters = {"with_stopped": show_stopped}
    return page(
        "nodes",
        lambda limit, before: lists.nodes(limit=limit, before=before, **filters),
        key=lambda node: node.id,
        values=values.node_values,
        page_size=page_size,
        page_token=page_token,
        filters=filters,
    )


@_read
def list_audit_events(
    _: Actor,
    page_size: int = 0,
    page_token: str = "",
    job_name: str = "",
    actor: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
) -> Values:
    _check_text(job_name=job_name, actor=actor)
    filters: Values = {"job_name": job_name, "actor": actor, "since": since, "until": until}
    return page(
        "events",
        lambda limit, before: lists.audit_entries(limit=limit, before=before, **filters),
        key=lambda entry: entry.pk,
        values=values.audit_values,
        page_size=page_size,
        page_token=page_token,
        filters=filters,
    )


def _check_text(**fields: str) -> None:
    for name, text in fields.items():
        if not is_storable(text):
            raise RequestError(name, f"Bad {name} {shown(text)}: no database stores such text.")


def _one_of(field: str, value: str, known: Any) -> str:
    """Return the value. Raises RequestError if it is not one of these."""
    if value not in list(known):
        raise RequestError(field, f"Bad {field} {shown(value)}: use {_all(known)}.")
    return value


def _all(names: Any) -> str:
    return ", ".join(names)


class Call(NamedTuple):
    """One call of the service, and who may make it."""

    function: Function
    scope: Scope
    """What a token must be for."""
    permissions: tuple[str, ...]
    """What the user must have."""


def _call(function: Function, scope: Scope, *permissions: str) -> Call:
    return Call(function, scope, tuple(f"scheduler_app.{name}" for name in permissions))


CALLS: dict[str, Call] = {
    "GetSchedulerStatus": _call(get_scheduler_status, Scope.VIEW, "view_job"),
    "PauseJob": _call(pause_job, Scope.CONTROL, "pause_job"),
    "ResumeJob": _call(resume_job, Scope.CONTROL, "resume_job"),
    "PauseJobs": _call(pause_jobs, Scope.CONTROL, "pause_job"),
    "ResumeJobs": _call(resume_jobs, Scope.CONTROL, "resume_job"),
    "CancelRun": _call(cancel_run, Scope.RUN, "cancel_jobrun"),
    "GetJob": _call(get_job, Scope.VIEW, "view_job"),
    "ListJobs": _call(list_jobs, Scope.VIEW, "view_job"),
    "UpdateJobSchedule": _call(update_job_schedule, Scope.EDIT, "change_job"),
    "AddJob": _call(add_job, Scope.EDIT, "add_job"),
    "DeleteJob": _call(delete_job, Scope.EDIT, "delete_job"),
    "BackfillJob": _call(backfill_job, Scope.RUN, "trigger_job"),
    "RunJob": _call(run_job, Scope.RUN, "trigger_job"),
    "RetryRun": _call(retry_run, Scope.RUN, "trigger_job"),
    "GetRun": _call(get_run, Scope.VIEW, "view_jobrun"),
    "ListRuns": _call(list_runs, Scope.VIEW, "view_jobrun"),
    "ExplainRun": _call(explain_run, Scope.VIEW, "view_job", "view_jobrun"),
    "PreviewSchedule": _call(preview_schedule, Scope.VIEW, "view_job"),
    "ListNodes": _call(list_nodes, Scope.VIEW, "view_node"),
    "ListAuditEvents": _call(list_audit_events, Scope.VIEW, "view_auditentry"),
}
"""By their names in memory.proto."""

WATCH = _call(get_scheduler_status, Scope.VIEW, "view_job", "view_jobrun", "view_node")
"""Who may watch; watch.py says what they get."""
