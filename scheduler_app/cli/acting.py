"""What people do: pause, resume, set, revert, run, retry, backfill, cancel."""

from argparse import Namespace
from datetime import UTC, datetime
from typing import Any

from scheduler_app.cli.api import Api, Refused, UnknownJob
from scheduler_app.cli.codes import ExitCode
from scheduler_app.cli.follow import following
from scheduler_app.cli.output import Output, at, at_ms, overrides, state, took
from scheduler_app.rpc.wire import Values
from scheduler_app.text import first_line, length, printable

SETTABLE = (
    *("schedule", "timezone", "jitter_seconds", "catch_up", "catch_up_limit", "retries"),
    *("retry_delay_seconds", "retry_max_delay_seconds", "pause_on_failure"),
    *("overlap", "timeout_seconds", "isolated"),
)
"""What can be set of a job, as in UpdateJobScheduleRequest."""


def pause(api: Api, options: Namespace, out: Output) -> int:
    until = options.until or (datetime.now(UTC) + options.duration if options.duration else None)
    fields = {"until": until} if until else {}
    done = f"paused{f' until {at(until)}' if until else ''}"
    if options.job is not None:
        answer = api.call("PauseJob", job_name=options.job, reason=options.reason, **fields)
        _check("pause", options.job, answer, api, out)
        out.line(printable(f"Job '{options.job}' {done}."))
        return ExitCode.DONE
    answer = api.call("PauseJobs", jobs=_selection(options), reason=options.reason, **fields)
    out.note(api.note)
    out.lines(printable(f"Job '{name}' {done}.") for name in answer["paused_jobs"])
    out.lines(printable(f"Job '{name}' was paused already.") for name in answer["unchanged_jobs"])
    return _refused("pause", answer, out)


def resume(api: Api, options: Namespace, out: Output) -> int:
    fields = {
        "reason": options.reason,
        "catch_up": options.catch_up,
        "dry_run": options.dry_run,
    }
    if options.job is not None:
        answer = api.call("ResumeJob", job_name=options.job, **fields)
        _check("resume", options.job, answer, api, out)
        _resumed(options.job, answer, options, out)
        return ExitCode.DONE
    answer = api.call("ResumeJobs", jobs=_selection(options), **fields)
    out.note(api.note)
    for job in answer["resumed_jobs"]:
        if options.dry_run:
            out.line(printable(f"Job '{job['job_name']}' would be resumed."))
        _resumed(job["job_name"], job, options, out)
    out.lines(printable(f"Job '{name}' was not paused.") for name in answer["unchanged_jobs"])
    return _refused("resume", answer, out)


def _resumed(name: str, answer: Values, options: Namespace, out: Output) -> None:
    if not options.dry_run:
        out.line(printable(f"Job '{name}' resumed."))
    if options.dry_run or options.catch_up != "skip":
        out.line(printable(f"  {_runs(answer['caught_up_times'], answer, options)}"))
    if options.dry_run:
        out.line(printable(f"  due next: {at(answer['next_run_time'])}"))


def _runs(moments: list[datetime], answer: Values, options: Namespace) -> str:
    number = "1 run" if len(moments) == 1 else f"{len(moments):,} runs"
    span = f", about {length(answer['expected_duration'])}" if answer["expected_duration"] else ""
    verb = "would be" if options.dry_run else "is" if len(moments) == 1 else "are"
    return f"{number}{span} {verb} queued."


def _selection(options: Namespace) -> Values:
    """Return the JobSelection that was asked for."""
    if options.all:
        return {"all": True}
    return {"app": options.app or "", "name_prefix": options.prefix or ""}


def _refused(verb: str, answer: Values, out: Output) -> int:
    refused = answer["refused_jobs"]
    for job in refused:
        out.note(printable(f"Failed to {verb} '{job['job_name']}': {job['error']}"))
    return ExitCode.REFUSED if refused else ExitCode.DONE


def _check(verb: str, name: str, answer: Values, api: Api, out: Output) -> None:
    out.note(api.note)
    if not answer["success"]:
        raise UnknownJob(f"Failed to {verb} '{name}': {answer['error']}")


def cancel(api: Api, options: Namespace, out: Output) -> int:
    answer = api.call("CancelRun", run_id=options.run_id, reason=options.reason)
    out.note(api.note)
    if not answer["success"]:
        raise Refused(f"Failed to cancel run {options.run_id}: {answer['error']}")
    done = "asked to end" if answer["is_running"] else "cancelled"
    out.line(f"Run {options.run_id} {done}.")
    return ExitCode.DONE


def override(api: Api, options: Namespace, out: Output) -> int:
    fields = {name: value for name, value in vars(options).items() if name in SETTABLE}
    wanted = {name: value for name, value in fields.items() if value is not None}
    return _updated(api, options, out, **wanted)


def add(api: Api, options: Namespace, out: Output) -> int:
    fields = {name: value for name, value in vars(options).items() if name in SETTABLE}
    wanted = {name: value for name, value in fields.items() if value is not None}
    call: Values = {"function": options.function or "", "command": options.command or ""}
    if options.arguments:
        call["arguments"] = dict(options.arguments)
    job = api.call(
        "AddJob",
        job_name=options.job,
        words=options.words,
        description=options.description,
        reason=options.reason,
        **call,
        **wanted,
    )
    out.note(api.note)
    out.line(printable(f"Job '{options.job}' added: {_when(job)}"))
    return ExitCode.DONE


def delete(api: Api, options: Namespace, out: Output) -> int:
    api.call("DeleteJob", job_name=options.job, reason=options.reason)
    out.note(api.note)
    out.line(printable(f"Job '{options.job}' deleted."))
    return ExitCode.DONE


def _when(job: Values) -> str:
    return f"{job['schedule']} ({job['timezone']}), next run {at_ms(job['next_run_ms'])}"


def revert(api: Api, options: Namespace, out: Output) -> int:
    return _updated(api, options, out, revert=True)


def _updated(api: Api, options: Namespace, out: Output, **fields: Any) -> int:
    job = api.call("UpdateJobSchedule", job_name=options.job, reason=options.reason, **fields)
    out.note(api.note)
    out.line(printable(_when(job)))
    out.line(printable(overrides(job)) or "As the code declares.")
    return ExitCode.DONE


def backfill(api: Api, options: Namespace, out: Output) -> int:
    fields = {
        "since": options.since,
        "include_succeeded": options.all,
        "dry_run": options.dry_run,
        "reason": options.reason,
    }
    until = {"until": options.until} if options.until else {}
    together = {"overlap": "allow"} if options.together else {}
    answer = api.call("BackfillJob", job_name=options.job, **fields, **until, **together)
    if options.as_json:
        return out.objects([answer])
    out.note(api.note)
    out.line(_runs(answer["schedule_times"], answer, options))
    if options.dry_run:
        out.lines(f"  {at(moment)}" for moment in answer["schedule_times"])
    return ExitCode.DONE


def run(api: Api, options: Namespace, out: Output) -> int:
    fields: Values = {"arguments": dict(options.arguments)} if options.arguments else {}
    if options.overlap:
        fields["overlap"] = options.overlap
    asked = api.call("RunJob", job_name=options.job, reason=options.reason, **fields)
    return _asked(asked, api, options, out)


def retry(api: Api, options: Namespace, out: Output) -> int:
    return _asked(
        api.call("RetryRun", run_id=options.run_id, reason=options.reason), api, options, out
    )


def _asked(asked: Values, api: Api, options: Namespace, out: Output) -> int:
    out.note(api.note)
    if options.wait:
        return _wait(asked["run_id"], api, options, out)
    if options.as_json:
        return out.objects([asked])
    out.line(printable(f"Run {asked['run_id']} of {asked['job_name']} is queued."))
    return ExitCode.DONE


def _wait(run_id: int, api: Api, options: Namespace, out: Output) -> int:
    """Wait until the run has ended; show its log meanwhile, and what became of it."""

    def ended(found: Values) -> int:
        if options.as_json:
            out.json(found)
        else:
            message = f": {printable(first_line(found['message']))}" if found["message"] else ""
            span = took(found["duration"], "no time")
            out.line(f"Run {run_id} {state(found)} after {span}{message}")
        return ExitCode.DONE if state(found) == "success" else ExitCode.REFUSED

    return following(run_id, api, out, ended, is_known=True, with_log=not options.as_json)
