"""A client of the scheduler's gRPC service, for the command line."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc

from scheduler_app.rpc.endpoint import DEFAULT_ENDPOINT, CallError, NoAnswer, target_of, user
from scheduler_app.rpc.identity import ACTOR_KEY, SURFACE_KEY
from scheduler_app.rpc.messages import as_dict, fill
from scheduler_app.rpc.stubs.memory_pb2_grpc import METHODS, MemoryServiceStub
from scheduler_app.rpc.wire import Values

DEADLINE = 10.0
"""Seconds that a call may take."""
OWN_WORDS = (
    *("NOT_FOUND", "FAILED_PRECONDITION", "INVALID_ARGUMENT", "ABORTED"),
    *("PERMISSION_DENIED", "UNAUTHENTICATED"),
)
"""The codes of refusals, whose texts say what is wrong and what would be right."""
LARGEST_ANSWER = 64 * 1024 * 1024
"""Bytes; gRPC's own limit, 4 MiB, is reached by some ten thousand jobs."""


class Client:
    """Calls the server at an endpoint: `http://HOST:PORT` or `HOST:PORT`. Raises CallError."""

    def __init__(self, endpoint: str = DEFAULT_ENDPOINT) -> None:
        self.endpoint = endpoint
        self._channel = grpc.insecure_channel(
            target_of(endpoint),
            options=[
                ("grpc.max_receive_message_length", LARGEST_ANSWER),
                ("grpc.enable_http_proxy", 0),
            ],
        )
        self._stub = MemoryServiceStub(self._channel)

    def close(self) -> None:
        self._channel.close()

    def call(self, name: str, **fields: Any) -> Values:
        """Return the fields of the answer to the call of this name, given those of its request."""
        method = next(method for method in METHODS if method.name == name)
        request = fill(method.request(), fields)
        who = ((ACTOR_KEY, user()), (SURFACE_KEY, "cli"))
        with _told_plainly(self.endpoint):
            answer = getattr(self._stub, name)(request, timeout=DEADLINE, metadata=who)
        return as_dict(answer)


@contextmanager
def _told_plainly(endpoint: str) -> Iterator[None]:
    try:
        yield
    except grpc.RpcError as error:
        code, details = error.code(), error.details() or ""
        if code == grpc.StatusCode.UNAVAILABLE and "database" not in details:
            text = f"No server answers at {endpoint}. Start one with: manage.py runscheduler."
            raise NoAnswer(text) from error
        if code == grpc.StatusCode.DEADLINE_EXCEEDED:
            text = f"The server at {endpoint} did not answer within {DEADLINE:.0f} s."
            raise NoAnswer(text) from error
        text = (
            details
            if code.name in OWN_WORDS
            else f"The server at {endpoint} answers {code.name}: {details}"
        )
        raise CallError(text or code.name, code.name) from error
