"""The calls that change something, each through control. They take and return what those that read
do; see looking.py."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings

from scheduler_app import control, status
from scheduler_app.control import Actor
from scheduler_app.exceptions import JobNotFound, RequestError, RunNotFound
from scheduler_app.models import Job, RunState, database
from scheduler_app.models.job import can_be_name
from scheduler_app.policies import MAX_NAME, CatchUp, Overlap
from scheduler_app.rpc import values
from scheduler_app.rpc.fields import check_text, one_of
from scheduler_app.rpc.wire import Values
from scheduler_app.status import lists
from scheduler_app.text import one_line

TOGETHER = (Overlap.QUEUE, Overlap.ALLOW)
"""How the runs of a backfill may be carried out."""


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
    policy = CatchUp(one_of("catch_up", catch_up or CatchUp.SKIP, CatchUp))
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
    policy = CatchUp(one_of("catch_up", catch_up or CatchUp.SKIP, CatchUp))
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
    check_text(**which)
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
    together = bool(overlap) and one_of("overlap", overlap, TOGETHER) == Overlap.ALLOW
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


def run_job(
    by: Actor,
    job_name: str,
    reason: str = "",
    arguments: Mapping[str, Any] | None = None,
    etag: str = "",
    overlap: str = "",
) -> Values:
    policy = Overlap(one_of("overlap", overlap, Overlap)) if overlap else None
    run = control.trigger(
        job_name, by=by, reason=reason, arguments=arguments, overlap=policy, etag=etag
    )
    return values.run_values(run)


def retry_run(by: Actor, run_id: int, reason: str = "") -> Values:
    return values.run_values(control.retry(run_id, by=by, reason=reason))
