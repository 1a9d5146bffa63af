"""The calls: what a client and a server need of them."""

from typing import Any

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor

from scheduler_app.rpc.stubs.memory_pb2 import DESCRIPTOR

SERVICE = DESCRIPTOR.services_by_name["MemoryService"]


class MemoryServiceStub:
    """A client's side: each call of the service is an attribute of its name."""

    GetSchedulerStatus: Any
    PauseJob: Any
    ResumeJob: Any
    CancelRun: Any

    def __init__(self, channel: grpc.Channel) -> None:
        for method in SERVICE.methods:
            request, response = _messages(method)
            call = channel.unary_unary(
                f"/{SERVICE.full_name}/{method.name}",
                request_serializer=request.SerializeToString,
                response_deserializer=response.FromString,
            )
            setattr(self, method.name, call)


def add_MemoryServiceServicer_to_server(servicer: Any, server: grpc.Server) -> None:  # noqa: N802
    """A server's side: `servicer` has a method for each call of the service."""
    handlers = {}
    for method in SERVICE.methods:
        request, response = _messages(method)
        handlers[method.name] = grpc.unary_unary_rpc_method_handler(
            getattr(servicer, method.name),
            request_deserializer=request.FromString,
            response_serializer=response.SerializeToString,
        )
    handler = grpc.method_handlers_generic_handler(SERVICE.full_name, handlers)
    server.add_generic_rpc_handlers((handler,))


def _messages(method: MethodDescriptor) -> tuple[Any, Any]:
    """The classes of the call's request and response."""
    return (
        message_factory.GetMessageClass(method.input_type),
        message_factory.GetMessageClass(method.output_type),
    )
