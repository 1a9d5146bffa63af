"""The calls: what a client and a server need of them."""

from typing import Any, NamedTuple

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor

from scheduler_app.rpc.stubs.memory_pb2 import DESCRIPTOR

SERVICE = DESCRIPTOR.services_by_name["MemoryService"]


class Method(NamedTuple):
    """A call of the service, with the classes of its messages."""

    name: str
    path: str
    request: Any
    response: Any
    is_stream: bool
    """Whether it has many answers."""


def _method(found: MethodDescriptor) -> Method:
    return Method(
        found.name,
        f"/{SERVICE.full_name}/{found.name}",
        message_factory.GetMessageClass(found.input_type),
        message_factory.GetMessageClass(found.output_type),
        found.server_streaming,
    )


METHODS = tuple(_method(found) for found in SERVICE.methods)


class MemoryServiceStub:
    """A client's side: each call of the service is an attribute of its name."""

    GetSchedulerStatus: Any
    PauseJob: Any
    ResumeJob: Any
    PauseJobs: Any
    ResumeJobs: Any
    CancelRun: Any
    GetJob: Any
    ListJobs: Any
    RunJob: Any
    RetryRun: Any
    UpdateJobSchedule: Any
    AddJob: Any
    DeleteJob: Any
    BackfillJob: Any
    GetRun: Any
    ListRuns: Any
    ExplainRun: Any
    PreviewSchedule: Any
    ListNodes: Any
    ListAuditEvents: Any
    WatchScheduler: Any

    def __init__(self, channel: grpc.Channel) -> None:
        for method in METHODS:
            make: Any = channel.unary_stream if method.is_stream else channel.unary_unary
            call = make(
                method.path,
                request_serializer=method.request.SerializeToString,
                response_deserializer=method.response.FromString,
            )
            setattr(self, method.name, call)


def add_MemoryServiceServicer_to_server(servicer: Any, server: grpc.Server) -> None:  # noqa: N802
    """A server's side: `servicer` has a method for each call of the service."""
    handlers = {
        method.name: _handler(method)(
            getattr(servicer, method.name),
            request_deserializer=method.request.FromString,
            response_serializer=_serialized,
        )
        for method in METHODS
    }
    handler = grpc.method_handlers_generic_handler(SERVICE.full_name, handlers)
    server.add_generic_rpc_handlers((handler,))


def _handler(method: Method) -> Any:
    if method.is_stream:
        return grpc.unary_stream_rpc_method_handler
    return grpc.unary_unary_rpc_method_handler


def _serialized(answer: Any) -> bytes:
    """Return the bytes of an answer, which may be there already."""
    data: bytes = answer if isinstance(answer, bytes) else answer.SerializeToString()
    return data
