"""What is to come: next, explain, preview."""

from argparse import Namespace
from datetime import UTC, datetime
from typing import Any

from scheduler_app.cli.api import Api, every
from scheduler_app.cli.codes import ExitCode
from scheduler_app.cli.output import Output, at
from scheduler_app.rpc.wire import Values
from scheduler_app.text import length, printable

MOST_FIRES, SHOWN_FIRES = 1_000, 3
"""How many fires of one job `next` counts, and of how many it shows each."""


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
        return out.objects(rows)
    out.note(api.note)
    cells = [
        (at(row["due_time"]), length(row["due_time"] - now), row["job_name"], _more(row))
        for row in rows
    ]
    out.table(("DUE", "IN", "JOB", ""), cells)
    return ExitCode.DONE


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


def explain(api: Api, options: Namespace, out: Output) -> int:
    answer = api.call("ExplainRun", job_name=options.job, time=options.moment.isoformat())
    if options.as_json:
        return out.objects([answer])
    out.note(api.note)
    out.line(printable(answer["explanation"]))
    return ExitCode.DONE


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
        return out.objects([answer])
    out.note(api.note)
    out.line(printable(f"{answer['schedule']} ({answer['timezone']})"))
    for fire in answer["fires"]:
        note = f"  {fire['note']}" if fire["note"] else ""
        out.line(printable(f"  {fire['local_time']}{note}"))
    return ExitCode.DONE
