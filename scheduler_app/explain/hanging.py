"""Whether a run takes longer than its job does usually, and what can be done."""

from datetime import datetime, timedelta
from statistics import median

from scheduler_app.models import Job, JobRun, RunState
from scheduler_app.text import length, printable

RECENT = 20
"""How many of the job's last successes tell what is usual."""
LONG, AT_LEAST = 3, timedelta(minutes=1)
"""A run takes long if it takes so many times as long as usual, and at least so long."""


def hanging(run: JobRun, now: datetime) -> str:
    """Return one or two sentences about a running run that takes much longer than usual, or that
    does not end although it was asked to; empty for any other."""
    if run.state != RunState.RUNNING or run.started_at is None:
        return ""
    return hanging_beside(usual_duration(run.job_name), run, now)


def hanging_beside(usual: timedelta | None, run: JobRun, now: datetime) -> str:
    """Return the same, where it is known how long its job takes usually."""
    if run.state != RunState.RUNNING or run.started_at is None:
        return ""
    lasts = now - run.started_at
    asked = now - run.cancel_requested_at if run.cancel_requested_at else timedelta()
    takes_long = usual is not None and lasts > max(AT_LEAST, usual * LONG)
    if not (takes_long or asked > AT_LEAST):
        return ""
    comparison = f", usually {length(usual)}" if usual is not None else ""
    return f"It has been running for {length(lasts)}{comparison}. {_advice(run)}"


def usual_duration(job_name: str) -> timedelta | None:
    """Return how long the last successes of the job took: the median; None if there is none."""
    runs = JobRun.objects.executed().filter(job_name=job_name, state=RunState.SUCCESS)
    spans = runs.order_by("-finished_at").values_list("started_at", "finished_at")[:RECENT]
    took = [(end - begin).total_seconds() for begin, end in spans if begin and end]
    return timedelta(seconds=median(took)) if took else None


def _advice(run: JobRun) -> str:
    job = Job.objects.filter(name=run.job_name).first()
    has_process = bool(job and (job.isolated or job.timeout))
    return advice(run.node.name if run.node else "", has_process=has_process)


def advice(node: str, *, has_process: bool) -> str:
    """Return what can be done about a run that hangs on this node (empty: it is not known)."""
    if has_process:
        return "It has a process of its own: cancel the run, and that is killed if need be."
    scheduler = f"scheduler {printable(node)}" if node else "its scheduler"
    return (
        "A thread cannot be killed: if the run hangs, cancel it and restart "
        f"{scheduler}, and declare the job isolated=True, so that its runs can be killed."
    )
