"""memory.MemoryService: each call does what calls.py says, for those who may make it."""

from typing import Any

import grpc

from scheduler_app.rpc.access import actor
from scheduler_app.rpc.calls import CALLS
from scheduler_app.rpc.framework import Service
from scheduler_app.rpc.messages import as_dict, fill
from scheduler_app.rpc.stubs.memory_pb2_grpc import METHODS, Method


class SchedulerService(Service):
    """The calls of the service, one method each. Of the seed's calls, an unknown job or run is an
    answer, not an error."""


def _answering(method: Method) -> Any:
    call = CALLS[method.name]

    def answer(_: SchedulerService, request: Any, context: grpc.ServicerContext) -> Any:
        by = actor(call, context)
        return fill(method.response(), call.function(by, **as_dict(request)))

    return answer


for _method in METHODS:
    setattr(SchedulerService, _method.name, _answering(_method))
