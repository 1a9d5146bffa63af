"""What the calls of the service do, in a server for its clients or in the command line for itself.
The answers are the fields of memory.proto's messages."""

from collections.abc import Callable

from django.db import Error

from scheduler_app import control, status
from scheduler_app.control import Actor
from scheduler_app.exceptions import JobNotFound, RunNotFound
from scheduler_app.models import RunState, database
from scheduler_app.models.faults import Fault, fault_of
from scheduler_app.models.patience import brief_read
from scheduler_app.rpc.values import Values, status_values

STATUS_TIME = 8.0
"""Seconds that one statement of a status may take: less than our client waits."""


def get_status() -> Values:
    """Return the status. Ask again if the connection is lost meanwhile: nothing else may be
    wrong."""
    try:
        return _status()
    except Error as error:
        if fault_of(error) is not Fault.AWAY:
            raise
        database.connection().close()
        return _status()


def _status() -> Values:
    with brief_read(STATUS_TIME):  # a locked table must not hold the workers that others need
        return status_values(status.scheduler_status())


def pause(name: str, by: Actor, reason: str = "") -> Values:
    error = _unknown(lambda: control.pause(name, by=by, reason=reason))
    return {"success": error is None, "error": error}


def resume(name: str, by: Actor, reason: str = "") -> Values:
    error = _unknown(lambda: control.resume(name, by=by, reason=reason))
    return {"success": error is None, "error": error}


def cancel(run_id: int, by: Actor, reason: str = "") -> Values:
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


def _unknown(change: Callable[[], object]) -> str | None:
    """Make the change; return the error if there is no such job: that is an answer."""
    try:
        change()
    except JobNotFound as error:
        return str(error)
    return None
