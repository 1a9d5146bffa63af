"""What the calls of the service do, in a server for its clients or in the command line
for itself."""

from collections.abc import Callable

from django.db import Error

from scheduler_app import control, status
from scheduler_app.control import Actor
from scheduler_app.exceptions import JobNotFound, RunNotFound
from scheduler_app.models import RunState, database
from scheduler_app.models.faults import Fault, fault_of
from scheduler_app.models.patience import brief_read
from scheduler_app.rpc.conversion import scheduler_to_proto
from scheduler_app.rpc.stubs import memory_pb2 as pb

STATUS_TIME = 8.0
"""Seconds that one statement of a status may take: less than our client waits."""


def get_status() -> pb.GetSchedulerStatusResponse:
    """Return the status. Ask again if the connection is lost meanwhile: nothing else may be
    wrong."""
    try:
        return _status()
    except Error as error:
        if fault_of(error) is not Fault.AWAY:
            raise
        database.connection().close()
        return _status()


def _status() -> pb.GetSchedulerStatusResponse:
    with brief_read(STATUS_TIME):  # a locked table must not hold the workers that others need
        return scheduler_to_proto(status.scheduler_status())


def pause(name: str, by: Actor, reason: str = "") -> pb.PauseJobResponse:
    error = _unknown(lambda: control.pause(name, by=by, reason=reason))
    return pb.PauseJobResponse(success=error is None, error=error)


def resume(name: str, by: Actor, reason: str = "") -> pb.ResumeJobResponse:
    error = _unknown(lambda: control.resume(name, by=by, reason=reason))
    return pb.ResumeJobResponse(success=error is None, error=error)


def cancel(run_id: int, by: Actor, reason: str = "") -> pb.CancelRunResponse:
    try:
        control.cancel(run_id, by=by, reason=reason)
        run = status.run_summary(run_id)
    except RunNotFound as error:
        return pb.CancelRunResponse(success=False, error=str(error))
    if run.state not in (RunState.RUNNING, RunState.CANCELLED):
        error_text = f"Run {run.id} had ended already: {run.state}."
        return pb.CancelRunResponse(success=False, error=error_text)
    return pb.CancelRunResponse(success=True, is_running=run.state == RunState.RUNNING)


def _unknown(change: Callable[[], object]) -> str | None:
    """Make the change; return the error if there is no such job: that is an answer."""
    try:
        change()
    except JobNotFound as error:
        return str(error)
    return None
