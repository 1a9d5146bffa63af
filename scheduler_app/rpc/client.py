"""A client of the scheduler's gRPC service, for the command line."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc

from scheduler_app.rpc.endpoint import DEFAULT_ENDPOINT, CallError, NoAnswer, target_of, user
from scheduler_app.rpc.identity import ACTOR_KEY, SURFACE_KEY
from scheduler_app.rpc.messages import as_dict
from scheduler_app.rpc.stubs import memory_pb2 as pb
from scheduler_app.rpc.stubs import memory_pb2_grpc
from scheduler_app.rpc.values import Values

DEADLINE = 10.0
"""Seconds that a call may take."""
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
        self._stub = memory_pb2_grpc.MemoryServiceStub(self._channel)

    def close(self) -> None:
        self._channel.close()

    def status(self) -> Values:
        return self._call(self._stub.GetSchedulerStatus, pb.GetSchedulerStatusRequest())

    def pause(self, name: str) -> Values:
        return self._call(self._stub.PauseJob, pb.PauseJobRequest(job_name=name))

    def resume(self, name: str) -> Values:
        return self._call(self._stub.ResumeJob, pb.ResumeJobRequest(job_name=name))

    def cancel(self, run_id: int, reason: str = "") -> Values:
        return self._call(self._stub.CancelRun, pb.CancelRunRequest(run_id=run_id, reason=reason))

    def _call(self, method: Any, request: Any) -> Values:
        who = ((ACTOR_KEY, user()), (SURFACE_KEY, "cli"))
        with _told_plainly(self.endpoint):
            return as_dict(method(request, timeout=DEADLINE, metadata=who))


@contextmanager
def _told_plainly(endpoint: str) -> Iterator[None]:
    try:
        yield
    except grpc.RpcError as error:
        code, details = error.code(), error.details()
        if code == grpc.StatusCode.UNAVAILABLE and "database" not in (details or ""):
            text = f"No server answers at {endpoint}. Start one with: manage.py runscheduler."
            raise NoAnswer(text) from error
        if code == grpc.StatusCode.DEADLINE_EXCEEDED:
            text = f"The server at {endpoint} did not answer within {DEADLINE:.0f} s."
            raise NoAnswer(text) from error
        text = f"The server at {endpoint} answers {code.name}: {details}"
        raise CallError(text) from error
