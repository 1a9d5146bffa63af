"""A client of the scheduler's gRPC service, for the command line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc

from scheduler_app.rpc.endpoint import (
    DEFAULT_ENDPOINT,
    NO_PROOF,
    SURFACE_KEY,
    BadConnection,
    CallError,
    NoAnswer,
    Proof,
    is_encrypted,
    target_of,
)
from scheduler_app.rpc.messages import as_dict, fill
from scheduler_app.rpc.stubs.memory_pb2_grpc import METHODS, MemoryServiceStub
from scheduler_app.rpc.wire import Values

DEADLINE = 10.0
"""Seconds that a call may take."""
OWN_WORDS = (
    *("NOT_FOUND", "FAILED_PRECONDITION", "INVALID_ARGUMENT", "ABORTED"),
    *("PERMISSION_DENIED", "UNAUTHENTICATED"),
)
"""The codes of refusals, whose texts say what is wrong and what would be right; so do those of
others if they have google.rpc details."""
DETAILS = "grpc-status-details-bin"
LARGEST_ANSWER = 64 * 1024 * 1024
"""Bytes; gRPC's own limit, 4 MiB, is reached by some ten thousand jobs."""


WATCH = next(method for method in METHODS if method.is_stream)


class Client:
    """Calls the server at an endpoint: `http://HOST:PORT`, `HOST:PORT`, `https://HOST:PORT` or
    `unix:/PATH`. A call may take `deadline` seconds, DEADLINE by default. Raises CallError."""

    note = ""

    def __init__(
        self,
        endpoint: str = DEFAULT_ENDPOINT,
        proof: Proof = NO_PROOF,
        deadline: float | None = None,
    ) -> None:
        self.endpoint = endpoint
        self._deadline = deadline
        self._metadata = [(SURFACE_KEY, "cli")]
        if proof.token:
            self._metadata.append(("authorization", f"Bearer {proof.token}"))
        options = [
            ("grpc.max_receive_message_length", LARGEST_ANSWER),
            ("grpc.enable_http_proxy", 0),
        ]
        target = target_of(endpoint)
        self._channel = (
            grpc.secure_channel(target, _credentials(proof), options)
            if is_encrypted(endpoint)
            else grpc.insecure_channel(target, options)
        )
        self._stub = MemoryServiceStub(self._channel)

    def close(self) -> None:
        self._channel.close()

    def call(self, name: str, **fields: Any) -> Values:
        """Return the fields of the answer to the call of this name, given those of its request."""
        method = next(method for method in METHODS if method.name == name)
        request = fill(method.request(), fields)
        deadline = self._deadline or DEADLINE
        with _told_plainly(self.endpoint, deadline):
            answer = getattr(self._stub, name)(request, timeout=deadline, metadata=self._metadata)
        return as_dict(answer)

    def watch(self, **fields: Any) -> Iterator[Values]:
        """Yield the fields of each answer of WatchScheduler, until it ends with a CallError."""
        request = fill(WATCH.request(), fields)
        with _told_plainly(self.endpoint):
            for answer in self._stub.WatchScheduler(request, metadata=self._metadata):
                yield as_dict(answer)


def _credentials(proof: Proof) -> grpc.ChannelCredentials:
    try:
        ca, key, certificate = (
            Path(path).read_bytes() if path else None
            for path in (proof.ca, proof.key, proof.certificate)
        )
    except OSError as error:
        raise BadConnection(f"Cannot read a certificate: {error}") from error
    return grpc.ssl_channel_credentials(ca, key, certificate)


@contextmanager
def _told_plainly(endpoint: str, deadline: float = DEADLINE) -> Iterator[None]:
    try:
        yield
    except grpc.RpcError as error:
        code, details = error.code(), error.details() or ""
        if code == grpc.StatusCode.UNAVAILABLE and "database" not in details:
            text = f"No server answers at {endpoint}. Start one with: manage.py runscheduler."
            raise NoAnswer(text) from error
        if code == grpc.StatusCode.DEADLINE_EXCEEDED:
            text = f"The server at {endpoint} did not answer within {deadline:.0f} s."
            raise NoAnswer(text, code.name) from error
        is_refusal = code.name in OWN_WORDS or _has_details(error)
        text = details if is_refusal else f"The server at {endpoint} answers {code.name}: {details}"
        raise CallError(text or code.name, code.name) from error


def _has_details(error: Any) -> bool:
    return any(key == DETAILS for key, _ in error.trailing_metadata() or ())
