"""The calls that read. Each takes who calls and the fields of its request in memory.proto, and
returns those of its response; an error is one of exceptions.py, or the database's."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from django.conf import settings
from django.db import Error

from scheduler_app import status
from scheduler_app.control import Actor
from scheduler_app.cron import Schedule, Uncomputable
from scheduler_app.exceptions import CronError, RequestError, RunNotFound
from scheduler_app.explain.explain import explain
from scheduler_app.explain.preview import preview
from scheduler_app.models import JobRun, RunState, database
from scheduler_app.models.faults import Fault, fault_of
from scheduler_app.models.patience import brief_read
from scheduler_app.rpc import values
from scheduler_app.rpc.fields import all_of, check_text
from scheduler_app.rpc.pages import page
from scheduler_app.rpc.wire import FIRST_YEAR, LAST_YEAR, RUN_STATE, Values
from scheduler_app.status import JobState, lists
from scheduler_app.text import shown

Function = Callable[..., Values]


READ_TIME = 8.0
"""Seconds that one statement of a call that reads may take: less than our client waits."""


MOST_FIRES = 1_000


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
    check_text(state=state, name_prefix=name_prefix, app=app)
    wanted = None
    if state:
        wanted = next((one for one in JobState if one.lower() == state.lower()), None)
        if wanted is None:
            raise RequestError("state", f"Bad state {shown(state)}: use one of {all_of(JobState)}.")
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
    check_text(job_name=job_name, message_contains=message_contains)
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
    check_text(job_name=job_name, actor=actor)
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
