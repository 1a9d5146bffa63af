"""The banner above every page: whether schedulers run and work and, if not, since when and why."""

from typing import Any

from django.db import DatabaseError, InterfaceError
from django.utils import timezone

from scheduler_app import status
from scheduler_app.admin import formats
from scheduler_app.models.faults import fault_of
from scheduler_app.status import SchedulerHealth, SchedulerState
from scheduler_app.text import LONGEST_LIST, listed

CSS = {
    SchedulerState.RUNNING: "alive",
    SchedulerState.NOT_WORKING: "dead",
    SchedulerState.STOPPED: "stopped",
}


def banner(health: SchedulerHealth | None = None) -> dict[str, Any]:
    """Return what the template shows of the schedulers as they are now, or as they have just
    been read."""
    try:
        health = health or status.scheduler_health()
    except (DatabaseError, InterfaceError) as error:
        return unknown(fault_of(error).value)
    running = [node.name for node in health.nodes if node.is_well]
    unwell = [node for node in health.nodes if not node.is_well] if health.is_running else []
    return {
        "css": CSS[health.state],
        "state": health.state,
        "since": formats.moment(health.since) if health.since else "",
        "problem": health.problem,
        "nodes": listed(running) if health.is_running else "",
        "unwell": unwell[:LONGEST_LIST],
        "is_stopped": health.state == SchedulerState.STOPPED,
    }


def unknown(problem: str) -> dict[str, Any]:
    """Return what the template shows while the database does not say how the schedulers are."""
    return {"css": "dead", "state": "UNKNOWN", "problem": problem}


def obstacle() -> str:
    """Return why an action has to wait for a scheduler, as the end of a sentence; empty if one
    works."""
    try:
        return _obstacle(status.scheduler_health())
    except (DatabaseError, InterfaceError) as error:
        return f"whether a scheduler runs is not known. {fault_of(error).value.removesuffix('.')}"


def _obstacle(health: SchedulerHealth) -> str:
    if health.is_running:
        return ""
    since = f"{timezone.localtime(health.since):%Y-%m-%d %H:%M:%S %Z}" if health.since else ""
    if health.state == SchedulerState.STOPPED:
        return (
            f"no scheduler has been running since {since}" if since else "no scheduler is running"
        )
    return f"no scheduler has worked since {since}: {health.problem}"
