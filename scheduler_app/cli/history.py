"""What has happened, and what happens: runs, logs, audit, watch."""

import time
from argparse import Namespace
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from scheduler_app.cli.api import Api, every
from scheduler_app.cli.codes import ExitCode
from scheduler_app.cli.follow import FollowedLog, following
from scheduler_app.cli.output import POLL, RUN_HEADER, Output, at, run_row, state
from scheduler_app.rpc.endpoint import CallError
from scheduler_app.rpc.wire import RUN_STATE, Values
from scheduler_app.text import first_line, printable

RESUMABLE = ("", "UNAVAILABLE", "RESOURCE_EXHAUSTED", "OUT_OF_RANGE", "CANCELLED", "INTERNAL")
"""Codes with which a watch ends that can be resumed, or begun anew."""
NOT_SUCCEEDED = ("failed", "lost", "missed")


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
        return out.objects(found)
    rows = list(found)
    out.note(api.note)
    _check_name(api, options, rows)
    out.table(RUN_HEADER, map(run_row, rows))
    return ExitCode.DONE


def _check_name(api: Api, options: Namespace, rows: Sequence[Any]) -> None:
    """Raise JobNotFound, or what the server answers, if nothing was found and the name is wrong."""
    if not rows and options.job:
        api.call("GetJob", job_name=options.job)


def logs(api: Api, options: Namespace, out: Output) -> int:
    if options.follow:
        return following(options.run_id, api, out, lambda run: ExitCode.DONE)
    run = api.call("GetRun", run_id=options.run_id)
    if options.as_json:
        return out.objects([run])
    out.note(api.note)
    log = FollowedLog(out)
    log.show(run["log"])
    log.end(run["traceback"])
    return ExitCode.DONE


def audit(api: Api, options: Namespace, out: Output) -> int:
    fields: dict[str, Any] = {
        "job_name": options.job or "",
        "actor": options.actor or "",
        "since": options.since,
        "until": options.until,
    }
    found = every(api, "ListAuditEvents", "events", limit=options.limit, **fields)
    if options.as_json:
        return out.objects(found)
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
    _check_name(api, options, rows)
    out.table(("TIME", "WHO", "THROUGH", "ACTION", "JOB", "REASON"), rows)
    return ExitCode.DONE


def watch(api: Api, options: Namespace, out: Output) -> int:
    """Show what happens, until Ctrl-C; go on where it ended when the server is back."""
    for name in options.jobs:
        api.call("GetJob", job_name=name)
    cursor = told = ""
    while True:
        try:
            for answer in api.watch(cursor=cursor, job_names=options.jobs):
                for event in answer["events"]:
                    _show_event(event, answer["snapshot"], options, out)
                cursor, told = answer["cursor"] or cursor, ""
                out.flush()
        except KeyboardInterrupt:
            return ExitCode.DONE
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
