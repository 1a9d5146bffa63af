"""The commands: each asks the API, writes what it answers, and returns the exit code."""

import json
import time
from argparse import Namespace
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from scheduler_app.cli.api import Api, Refused, UnknownJob, every
from scheduler_app.cli.output import RUN_HEADER, Output, at, at_ms, run_row, state, took
from scheduler_app.cli.table import status_lines
from scheduler_app.exceptions import SchedulerError
from scheduler_app.rpc.endpoint import CallError, NoAnswer
from scheduler_app.rpc.wire import RUN_STATE, Values
from scheduler_app.text import first_line, length, printable

CLEAR = "\033[2J\033[H"
DONE, REFUSED = 0, 1
POLL = 0.5
"""Seconds between two looks at a run that is waited for."""
MOST_FIRES, SHOWN_FIRES = 1_000, 3
"""How many fires of one job `next` counts, and of how many it shows each."""
RESUMABLE = ("", "UNAVAILABLE", "RESOURCE_EXHAUSTED", "OUT_OF_RANGE", "CANCELLED", "INTERNAL")
"""Codes with which a watch ends that can be resumed, or begun anew."""
SETTABLE = (
    *("schedule", "timezone", "jitter_seconds", "catch_up", "catch_up_limit", "retries"),
    *("retry_delay_seconds", "retry_max_delay_seconds", "pause_on_failure"),
)
"""What can be set of a job, as in UpdateJobScheduleRequest."""
NOT_SUCCEEDED = ("failed", "lost", "missed")
ENDED = frozenset(("success", "failed", "cancelled", "lost", "skipped", "missed"))

Command = Callable[[Api, Namespace, Output], int]


def status(api: Api, options: Namespace, out: Output) -> int:
    if options.watch is not None:
        return _watch(api, options, out)
    answer = _status(api, options)
    if options.as_json:
        source = "database" if api.note else "server"
        out.line(json.dumps({"source": source} | answer, indent=2))
    else:
        _show_status(api, answer, out)
    return DONE


def _status(api: Api, options: Namespace) -> Values:
    answer = api.call("GetSchedulerStatus")
    if options.failing:
        answer["jobs"] = [job for job in answer["jobs"] if job["last_error"] is not None]
    return answer


def _show_status(api: Api, answer: Values, out: Output) -> None:
    if api.note:
        out.line(printable(api.note))
    out.lines(status_lines(answer))


def _watch(api: Api, options: Namespace, out: Output) -> int:
    """Show the status again and again; a server that is away is shown, and waited for."""
    try:
        while True:
            if out.is_terminal:
                out.line(CLEAR)
            try:
                _show_status(api, _status(api, options), out)
            except SchedulerError as error:
                out.line(printable(str(error)))
            out.line()
            out.flush()
            time.sleep(options.watch)
    except KeyboardInterrupt:
        return DONE


def list_jobs(api: Api, options: Namespace, out: Output) -> int:
    filters = {
        "state": options.state or "",
        "name_prefix": options.prefix or "",
        "failing": options.failing,
    }
    jobs = every(api, "ListJobs", "jobs", **filters)
    if options.as_json:
        return _as_json(jobs, out)
    rows = [(job["job_name"], job["state"], at_ms(job["next_run_ms"]), _last(job)) for job in jobs]
    out.note(api.note)
    out.table(("JOB", "STATE", "NEXT RUN", "LAST OUTCOME"), rows)
    return DONE


def _pause(job: Values) -> str:
    if not job["is_paused"]:
        return ""
    until = f" until {at_ms(job['paused_until_ms'])}" if job["paused_until_ms"] else ""
    by = f" by {job['paused_by']}" if job["paused_by"] else ""
    reason = f": {job['pause_reason']}" if job["pause_reason"] else ""
    return f"since {at_ms(job['paused_since_ms'])}{until}{by}{reason}"


def _last(job: Values) -> str:
    error = first_line(job["last_error"] or "")
    return f"{job['last_outcome']}: {error}" if error else job["last_outcome"] or "-"


def show(api: Api, options: Namespace, out: Output) -> int:
    job = api.call("GetJob", job_name=options.job)
    if options.as_json:
        return _as_json([job], out)
    out.note(api.note)
    out.fields(
        [
            ("Job", job["job_name"]),
            ("State", job["state"]),
            ("Paused", _pause(job)),
            ("Problem", job["problem"] or ""),
            ("Description", first_line(job["description"])),
            ("Schedule", f"{job['schedule']} ({job['cron_expr']}, {job['timezone']})"),
            ("Overridden", _overrides(job)),
            ("Next run", at_ms(job["next_run_ms"])),
            ("Last run", at_ms(job["last_run_ms"], "Never")),
            ("Last outcome", _last(job)),
            ("Running", ", ".join(f"run {pk}" for pk in job["running_run_ids"])),
            ("Successes", str(job["run_count"])),
            ("Failures", str(job["error_count"])),
            ("Skipped", str(job["skip_count"])),
            ("Missed", str(job["miss_count"])),
            ("Overlap", job["overlap"]),
            ("Catch up", job["catch_up"]),
            ("Retries", str(job["retries"])),
            (
                "Timeout",
                length(timedelta(milliseconds=job["timeout_ms"])) if job["timeout_ms"] else "",
            ),
        ]
    )
    runs = list(every(api, "ListRuns", "runs", limit=5, job_name=options.job))
    if runs:
        out.line()
        out.table(RUN_HEADER, map(run_row, runs))
    return DONE


def pause(api: Api, options: Namespace, out: Output) -> int:
    until = options.until or (datetime.now(UTC) + options.duration if options.duration else None)
    for name in _names(api, options):
        fields = {"until": until} if until else {}
        answer = api.call("PauseJob", job_name=name, reason=options.reason, **fields)
        _check("pause", name, answer, api, out)
        out.line(printable(f"Job '{name}' paused{f' until {at(until)}' if until else ''}."))
    return DONE


def resume(api: Api, options: Namespace, out: Output) -> int:
    for name in _names(api, options):
        answer = api.call(
            "ResumeJob",
            job_name=name,
            reason=options.reason,
            catch_up=options.catch_up,
            dry_run=options.dry_run,
        )
        _check("resume", name, answer, api, out)
        if not options.dry_run:
            out.line(printable(f"Job '{name}' resumed."))
        if options.dry_run or options.catch_up != "skip":
            out.line(printable(f"  {_runs(answer['caught_up_times'], answer, options)}"))
        if options.dry_run:
            out.line(printable(f"  due next: {at(answer['next_run_time'])}"))
    return DONE


def override(api: Api, options: Namespace, out: Output) -> int:
    fields = {name: value for name, value in vars(options).items() if name in SETTABLE}
    wanted = {name: value for name, value in fields.items() if value is not None}
    return _updated(api, options, out, **wanted)


def revert(api: Api, options: Namespace, out: Output) -> int:
    return _updated(api, options, out, revert=True)


def _updated(api: Api, options: Namespace, out: Output, **fields: Any) -> int:
    job = api.call("UpdateJobSchedule", job_name=options.job, reason=options.reason, **fields)
    out.note(api.note)
    out.line(
        printable(f"{job['schedule']} ({job['timezone']}), next run {at_ms(job['next_run_ms'])}")
    )
    out.line(printable(_overrides(job)) or "As the code declares.")
    return DONE


def _overrides(job: Values) -> str:
    told = (
        f"{name} {value!r} (code: {job['declared'].get(name, '?')!r})"
        for name, value in sorted(job["overrides"].items())
    )
    return ", ".join(told)


def backfill(api: Api, options: Namespace, out: Output) -> int:
    fields = {
        "since": options.since,
        "include_succeeded": options.all,
        "dry_run": options.dry_run,
        "reason": options.reason,
    }
    until = {"until": options.until} if options.until else {}
    answer = api.call("BackfillJob", job_name=options.job, **fields, **until)
    if options.as_json:
        return _as_json([answer], out)
    out.note(api.note)
    out.line(_runs(answer["schedule_times"], answer, options))
    if options.dry_run:
        out.lines(f"  {at(moment)}" for moment in answer["schedule_times"])
    return DONE


def _runs(moments: list[datetime], answer: Values, options: Namespace) -> str:
    number = "1 run" if len(moments) == 1 else f"{len(moments):,} runs"
    span = f", about {length(answer['expected_duration'])}" if answer["expected_duration"] else ""
    verb = "would be" if options.dry_run else "is" if len(moments) == 1 else "are"
    return f"{number}{span} {verb} queued."


def _names(api: Api, options: Namespace) -> list[str]:
    if options.job:
        return [options.job]
    return [job["job_name"] for job in every(api, "ListJobs", "jobs")]


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
    return DONE


def run(api: Api, options: Namespace, out: Output) -> int:
    fields = {"arguments": dict(options.arguments)} if options.arguments else {}
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
        return _as_json([asked], out)
    out.line(printable(f"Run {asked['run_id']} of {asked['job_name']} is queued."))
    return DONE


def _wait(run_id: int, api: Api, options: Namespace, out: Output) -> int:
    """Wait until the run has ended; show its log, and what became of it."""
    while True:
        try:
            found = api.call("GetRun", run_id=run_id)
        except NoAnswer as error:  # it restarts, say
            out.progress(printable(str(error)))
            time.sleep(POLL)
            continue
        if state(found) in ENDED:
            break
        since = found["start_time"] or found["create_time"]
        span = length(max(datetime.now(UTC) - since, timedelta()))
        out.progress(f"Run {run_id} is {state(found)} for {span}. ")
        time.sleep(POLL)
    out.progress("")
    if options.as_json:
        out.json(found)
    else:
        out.lines(_log(found))
        message = f": {printable(first_line(found['message']))}" if found["message"] else ""
        out.line(f"Run {run_id} {state(found)} after {took(found['duration'], 'no time')}{message}")
    return DONE if state(found) == "success" else REFUSED


def runs(api: Api, options: Namespace, out: Output) -> int:
    wanted = [*options.states, *(NOT_SUCCEEDED if options.failed else ())]
    fields: dict[str, Any] = {
        "job_name": options.job or "",
        "states": [f"{RUN_STATE}{each.upper()}" for each in wanted],
        "since": options.since,
        "until": options.until,
        "message_contains": options.grep or "",
    }
    found = every(api, "ListRuns", "runs", limit=options.limit, **fields)
    if options.as_json:
        return _as_json(found, out)
    rows = list(found)
    out.note(api.note)
    if not rows and options.job:
        api.call("GetJob", job_name=options.job)  # raises if there is none: the name may be wrong
    out.table(RUN_HEADER, map(run_row, rows))
    return DONE


def logs(api: Api, options: Namespace, out: Output) -> int:
    """Print the log of a run; what a running one has logged is stored when it ends."""
    shown = ""
    while True:
        found = api.call("GetRun", run_id=options.run_id)
        if not shown:
            out.note(api.note)
        log = found["log"]
        new = log[len(shown) :] if log.startswith(shown) else log
        out.lines(map(printable, new.splitlines()))
        shown = log
        if not options.follow or state(found) in ENDED:
            break
        out.flush()
        time.sleep(POLL)
    if found["traceback"]:
        out.lines(map(printable, found["traceback"].splitlines()))
    return DONE


def _log(found: Values) -> Iterable[str]:
    return map(printable, f"{found['log']}{found['traceback']}".splitlines())


def upcoming(api: Api, options: Namespace, out: Output) -> int:
    """Show what runs within a time from now, the earliest first; of a job that fires often, the
    next fire and how many follow."""
    now = datetime.now(UTC)
    until = now + options.within
    rows = list[Values]()
    for job in every(api, "ListJobs", "jobs"):
        if 0 < job["next_run_ms"] < until.timestamp() * 1000:
            rows += _fires_of(job["job_name"], until, api)
    rows.sort(key=lambda row: (row["due_time"], row["job_name"]))
    if options.as_json:
        return _as_json(rows, out)
    out.note(api.note)
    cells = [
        (at(row["due_time"]), length(row["due_time"] - now), row["job_name"], _more(row))
        for row in rows
    ]
    out.table(("DUE", "IN", "JOB", ""), cells)
    return DONE


def _fires_of(name: str, until: datetime, api: Api) -> list[Values]:
    answer = api.call("PreviewSchedule", job_name=name, count=MOST_FIRES)
    due = [fire for fire in answer["fires"] if fire["due_time"] < until]
    shown = due if len(due) <= SHOWN_FIRES else due[:1]
    more = len(due) - len(shown)
    return [
        {"due_time": fire["due_time"], "job_name": name, "note": fire["note"], "more": more}
        for fire in shown
    ]


def _more(row: Values) -> str:
    number = "1,000 or more" if row["more"] >= MOST_FIRES - 1 else f"{row['more']:,} more"
    more = f"and {number} until then" if row["more"] else ""
    return "; ".join(filter(None, (more, row["note"])))


def nodes(api: Api, options: Namespace, out: Output) -> int:
    found = every(api, "ListNodes", "nodes", show_stopped=options.all)
    if options.as_json:
        return _as_json(found, out)
    rows = [
        (
            node["name"],
            node["state"],
            at(node["start_time"]),
            at(node["heartbeat_time"]),
            str(len(node["run_ids"])),
            first_line(node["problem"]),
        )
        for node in found
    ]
    out.note(api.note)
    out.table(("NODE", "STATE", "STARTED", "LAST HEARTBEAT", "RUNS", "PROBLEM"), rows)
    return DONE


def explain(api: Api, options: Namespace, out: Output) -> int:
    answer = api.call("ExplainRun", job_name=options.job, time=options.moment.isoformat())
    out.note(api.note)
    out.line(printable(answer["explanation"]))
    return DONE


def preview(api: Api, options: Namespace, out: Output) -> int:
    fields: dict[str, Any] = {
        "schedule": options.schedule or "",
        "job_name": options.job or "",
        "timezone": options.timezone or "",
        "count": options.count,
        "after": options.after,
    }
    answer = api.call("PreviewSchedule", **fields)
    if options.as_json:
        return _as_json([answer], out)
    out.note(api.note)
    out.line(printable(f"{answer['schedule']} ({answer['timezone']})"))
    for fire in answer["fires"]:
        note = f"  {fire['note']}" if fire["note"] else ""
        out.line(printable(f"  {fire['local_time']}{note}"))
    return DONE


def audit(api: Api, options: Namespace, out: Output) -> int:
    fields: dict[str, Any] = {
        "job_name": options.job or "",
        "actor": options.actor or "",
        "since": options.since,
        "until": options.until,
    }
    found = every(api, "ListAuditEvents", "events", limit=options.limit, **fields)
    if options.as_json:
        return _as_json(found, out)
    rows = [
        (
            at(event["time"]),
            event["actor"],
            event["surface"],
            event["action"] if event["changed"] else f"{event['action']} (no change)",
            event["job_name"],
            first_line(event["reason"]),
        )
        for event in found
    ]
    out.note(api.note)
    out.table(("TIME", "WHO", "THROUGH", "ACTION", "JOB", "REASON"), rows)
    return DONE


def health(api: Api, options: Namespace, out: Output) -> int:
    """Say in one line whether jobs run, for probes."""
    answer = api.call("GetSchedulerStatus")
    out.note(api.note)
    state_line = next(iter(status_lines(answer)))
    lags = [(_lag(job), job["job_name"]) for job in answer["jobs"] if _may_fire(job)]
    lag, name = max(lags, default=(timedelta(), ""))
    if not answer["scheduler_running"]:
        out.line(state_line)
        return REFUSED
    if lag > options.max_lag:
        out.line(printable(f"{state_line}, but {name} has been due for {length(lag)}."))
        return REFUSED
    out.line(state_line)
    return DONE


def watch(api: Api, options: Namespace, out: Output) -> int:
    """Show what happens, until Ctrl-C; go on where it ended when the server is back."""
    cursor = told = ""
    while True:
        try:
            for answer in api.watch(cursor=cursor, job_names=options.jobs):
                for event in answer["events"]:
                    _show_event(event, answer["snapshot"], options, out)
                cursor, told = answer["cursor"] or cursor, ""
                out.flush()
        except KeyboardInterrupt:
            return DONE
        except CallError as error:
            if not cursor or error.code not in RESUMABLE:
                raise
            if str(error) != told:
                out.note(f"{error} Watching again as soon as it can be.")
            told = str(error)
            cursor = "" if error.code == "OUT_OF_RANGE" else cursor
        time.sleep(POLL)


def _show_event(event: Values, is_snapshot: bool, options: Namespace, out: Output) -> None:
    if options.as_json:
        told = {key: value for key, value in event.items() if value is not None}
        out.json({"snapshot": is_snapshot} | told)
    elif is_snapshot:
        return  # `status` shows it
    elif event["run"]:
        run = event["run"]
        out.line(printable(f"{_now()}  run {run['run_id']} of {run['job_name']}: {state(run)}"))
    elif event["job"]:
        job = event["job"]
        out.line(printable(f"{_now()}  job {job['job_name']}: {job['state']}"))
    elif event["node"]:
        node = event["node"]
        words = "works" if node["well"] else node["problem"]
        out.line(printable(f"{_now()}  scheduler {node['name']}: {words}"))


def _now() -> str:
    return f"{datetime.now().astimezone():%H:%M:%S}"


def _may_fire(job: Values) -> bool:
    return not (job["is_paused"] or job["is_orphaned"] or job["problem"]) and job["next_run_ms"] > 0


def _lag(job: Values) -> timedelta:
    return timedelta(milliseconds=time.time() * 1000 - job["next_run_ms"])


def _as_json(rows: Iterable[Values], out: Output) -> int:
    for row in rows:
        out.json(row)
    return DONE
