"""memory.MemoryService: each call does what calls.py says, for those who may make it."""

from typing import Any

import grpc

from scheduler_app.models import Scope
from scheduler_app.rpc.access import actor
from scheduler_app.rpc.calls import CALLS
from scheduler_app.rpc.framework import Service
from scheduler_app.rpc.live import StatusAnswer
from scheduler_app.rpc.messages import as_dict, fill
from scheduler_app.rpc.stubs.memory_pb2_grpc import METHODS, Method

STATUS = "GetSchedulerStatus"


class SchedulerService(Service):
    """The calls of the service, one method each. Of the seed's calls, an unknown job or run is an
    answer, not an error."""

    status = StatusAnswer()
    """Each server has one of its own."""


def _answering(method: Method) -> Any:
    call = CALLS[method.name]

    def answer(service: SchedulerService, request: Any, context: grpc.ServicerContext) -> Any:
        by = actor(call, context)
        if method.name == STATUS:
            return service.status.get()
        try:
            return fill(method.response(), call.function(by, **as_dict(request)))
        finally:
            if call.scope != Scope.VIEW:
                service.status.expire()

    return answer


for _method in METHODS:
    setattr(SchedulerService, _method.name, _answering(_method))
