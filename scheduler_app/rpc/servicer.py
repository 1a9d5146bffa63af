"""memory.MemoryService: each call does what calls.py says."""

from typing import Any

import grpc

from scheduler_app.control import Actor
from scheduler_app.models import Surface
from scheduler_app.rpc.calls import CALLS
from scheduler_app.rpc.framework import Service
from scheduler_app.rpc.identity import ACTOR_KEY, SURFACE_KEY
from scheduler_app.rpc.messages import as_dict, fill
from scheduler_app.rpc.stubs.memory_pb2_grpc import METHODS, Method


class SchedulerService(Service):
    """The calls of the service, one method each. Of the seed's calls, an unknown job or run is an
    answer, not an error."""


def _answering(method: Method) -> Any:
    call = CALLS[method.name]

    def answer(_: SchedulerService, request: Any, context: grpc.ServicerContext) -> Any:
        values = call(_caller(context), **as_dict(request))
        return fill(method.response(), values)

    return answer


for _method in METHODS:
    setattr(SchedulerService, _method.name, _answering(_method))


def _caller(context: grpc.ServicerContext) -> Actor:
    """Return who calls, for the audit. What a client says of itself is believed: there is no
    sign-in yet."""
    said = dict(context.invocation_metadata())
    surface = Surface.CLI if said.get(SURFACE_KEY) == Surface.CLI else Surface.GRPC
    return Actor(str(said.get(ACTOR_KEY) or context.peer()), surface)
