"""memory.MemoryService: shows what status tells, and does what control does."""

from collections.abc import Callable

import grpc

from protos import memory_pb2 as pb
from scheduler_app import control, status
from scheduler_app.control import Actor
from scheduler_app.exceptions import JobNotFound, RunNotFound
from scheduler_app.models import RunState, Surface
from scheduler_app.rpc.conversion import scheduler_to_proto
from scheduler_app.rpc.framework import Service
from scheduler_app.rpc.identity import ACTOR_KEY, SURFACE_KEY

Change = Callable[..., bool]


class SchedulerService(Service):
    """The seed's calls, and one for runs. An unknown job or run is an answer, not an error."""

    def GetSchedulerStatus(  # noqa: N802
        self, request: pb.GetSchedulerStatusRequest, context: grpc.ServicerContext
    ) -> pb.GetSchedulerStatusResponse:
        return scheduler_to_proto(status.scheduler_status())

    def PauseJob(  # noqa: N802
        self, request: pb.PauseJobRequest, context: grpc.ServicerContext
    ) -> pb.PauseJobResponse:
        error = _change(control.pause, request.job_name, context)
        return pb.PauseJobResponse(success=error is None, error=error)

    def ResumeJob(  # noqa: N802
        self, request: pb.ResumeJobRequest, context: grpc.ServicerContext
    ) -> pb.ResumeJobResponse:
        error = _change(control.resume, request.job_name, context)
        return pb.ResumeJobResponse(success=error is None, error=error)

    def CancelRun(  # noqa: N802
        self, request: pb.CancelRunRequest, context: grpc.ServicerContext
    ) -> pb.CancelRunResponse:
        try:
            control.cancel(request.run_id, by=_caller(context), reason=request.reason)
            run = status.run_summary(request.run_id)
        except RunNotFound as error:
            return pb.CancelRunResponse(success=False, error=str(error))
        if run.state not in (RunState.RUNNING, RunState.CANCELLED):
            error_text = f"Run {run.id} had ended already: {run.state}."
            return pb.CancelRunResponse(success=False, error=error_text)
        return pb.CancelRunResponse(success=True, is_running=run.state == RunState.RUNNING)


def _change(change: Change, name: str, context: grpc.ServicerContext) -> str | None:
    try:
        change(name, by=_caller(context))
    except JobNotFound as error:
        return str(error)
    return None


def _caller(context: grpc.ServicerContext) -> Actor:
    """Who calls, for the audit. What a client says of itself is believed: nobody signs in yet."""
    said = dict(context.invocation_metadata())
    surface = Surface.CLI if said.get(SURFACE_KEY) == Surface.CLI else Surface.GRPC
    return Actor(str(said.get(ACTOR_KEY) or context.peer()), surface)
