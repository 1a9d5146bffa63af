"""memory.MemoryService: shows what status tells, and does what control does."""

import grpc

from scheduler_app.control import Actor
from scheduler_app.models import Surface
from scheduler_app.rpc import calls
from scheduler_app.rpc.framework import Service
from scheduler_app.rpc.identity import ACTOR_KEY, SURFACE_KEY
from scheduler_app.rpc.stubs import memory_pb2 as pb


class SchedulerService(Service):
    """The calls of the service. An unknown job or run is an answer, not an error."""

    def GetSchedulerStatus(  # noqa: N802
        self, request: pb.GetSchedulerStatusRequest, context: grpc.ServicerContext
    ) -> pb.GetSchedulerStatusResponse:
        return pb.GetSchedulerStatusResponse(**calls.get_status())

    def PauseJob(  # noqa: N802
        self, request: pb.PauseJobRequest, context: grpc.ServicerContext
    ) -> pb.PauseJobResponse:
        return pb.PauseJobResponse(**calls.pause(request.job_name, _caller(context)))

    def ResumeJob(  # noqa: N802
        self, request: pb.ResumeJobRequest, context: grpc.ServicerContext
    ) -> pb.ResumeJobResponse:
        return pb.ResumeJobResponse(**calls.resume(request.job_name, _caller(context)))

    def CancelRun(  # noqa: N802
        self, request: pb.CancelRunRequest, context: grpc.ServicerContext
    ) -> pb.CancelRunResponse:
        answer = calls.cancel(request.run_id, _caller(context), request.reason)
        return pb.CancelRunResponse(**answer)


def _caller(context: grpc.ServicerContext) -> Actor:
    """Return who calls, for the audit. What a client says of itself is believed: there is no
    sign-in yet."""
    said = dict(context.invocation_metadata())
    surface = Surface.CLI if said.get(SURFACE_KEY) == Surface.CLI else Surface.GRPC
    return Actor(str(said.get(ACTOR_KEY) or context.peer()), surface)
