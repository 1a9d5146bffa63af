"""How things are now: status, list, show, nodes, health."""

import json
import time
from argparse import Namespace
from contextlib import suppress
from datetime import timedelta

from scheduler_app.cli.api import Api, every
from scheduler_app.cli.codes import ExitCode
from scheduler_app.cli.output import RUN_HEADER, Output, at, at_ms, overrides, pause_words, run_row
from scheduler_app.cli.table import marked_lines, status_lines
from scheduler_app.exceptions import SchedulerError
from scheduler_app.rpc.wire import Values
from scheduler_app.text import first_line, length, printable


def status(api: Api, options: Namespace, out: Output) -> int:
    if options.watch is not None:
        return _watch(api, options, out)
    answer = _status(api, options)
    if options.as_json:
        source = "database" if api.note else "server"
        out.line(json.dumps({"source": source} | answer, indent=2))
    else:
        _show_status(api, answer, out)
    return ExitCode.DONE


def _status(api: Api, options: Namespace) -> Values:
    answer = api.call("GetSchedulerStatus")
    if options.failing:
        answer["jobs"] = [job for job in answer["jobs"] if job["last_error"] is not None]
    return answer


def _show_status(api: Api, answer: Values, out: Output) -> None:
    if api.note:
        out.line(printable(api.note))
    out.marked(marked_lines(answer))


def _watch(api: Api, options: Namespace, out: Output) -> int:
    """Show the status again and again; a server that is away is shown, and waited for."""
    with suppress(KeyboardInterrupt), out.screens():
        while True:
            with out.screen():
                try:
                    _show_status(api, _status(api, options), out)
                except SchedulerError as error:
                    out.line(printable(str(error)))
            time.sleep(options.watch)
    return ExitCode.DONE


def list_jobs(api: Api, options: Namespace, out: Output) -> int:
    filters = {
        "state": options.state or "",
        "name_prefix": options.prefix or "",
        "app": options.app or "",
        "failing": options.failing,
    }
    jobs = every(api, "ListJobs", "jobs", **filters)
    if options.as_json:
        return out.objects(jobs)
    rows = [(job["job_name"], job["state"], at_ms(job["next_run_ms"]), _last(job)) for job in jobs]
    out.note(api.note)
    out.table(("JOB", "STATE", "NEXT RUN", "LAST OUTCOME"), rows)
    return ExitCode.DONE


def _last(job: Values) -> str:
    error = first_line(job["last_error"] or "")
    return f"{job['last_outcome']}: {error}" if error else job["last_outcome"] or "-"


def show(api: Api, options: Namespace, out: Output) -> int:
    job = api.call("GetJob", job_name=options.job)
    if options.as_json:
        return out.objects([job])
    out.note(api.note)
    out.fields(
        [
            ("Job", job["job_name"]),
            ("State", job["state"]),
            ("Paused", pause_words(job, since=True)),
            ("Problem", job["problem"] or ""),
            ("Description", first_line(job["description"])),
            ("App", job["app"]),
            ("Schedule", f"{job['schedule']} ({job['cron_expr']}, {job['timezone']})"),
            ("Overridden", overrides(job)),
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
            ("Isolated", "yes" if job["isolated"] else ""),
        ]
    )
    runs = list(every(api, "ListRuns", "runs", limit=5, job_name=options.job))
    if runs:
        out.line()
        out.table(RUN_HEADER, map(run_row, runs))
    return ExitCode.DONE


def nodes(api: Api, options: Namespace, out: Output) -> int:
    found = every(api, "ListNodes", "nodes", show_stopped=options.all)
    if options.as_json:
        return out.objects(found)
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
    return ExitCode.DONE


def health(api: Api, options: Namespace, out: Output) -> int:
    """Say in one line whether jobs run, for probes."""
    answer = api.call("GetSchedulerStatus")
    lags = [(_lag(job), job["job_name"]) for job in answer["jobs"] if _may_fire(job)]
    lag, name = max(lags, default=(timedelta(), ""))
    is_late = lag > options.max_lag
    is_well = answer["scheduler_running"] and not is_late
    if options.as_json:
        told = {"healthy": is_well, "state": answer["state"], "problem": answer["problem"] or ""}
        lateness = {"lag": max(lag, timedelta()), "late_job": name if is_late else ""}
        out.json(told | lateness)
        return ExitCode.DONE if is_well else ExitCode.REFUSED
    out.note(api.note)
    late = f", but {name} has been due for {length(lag)}."
    line = next(iter(status_lines(answer)))
    out.line(line + printable(late) if is_late and answer["scheduler_running"] else line)
    return ExitCode.DONE if is_well else ExitCode.REFUSED


def _may_fire(job: Values) -> bool:
    return not (job["is_paused"] or job["is_orphaned"] or job["problem"]) and job["next_run_ms"] > 0


def _lag(job: Values) -> timedelta:
    return timedelta(milliseconds=time.time() * 1000 - job["next_run_ms"])
