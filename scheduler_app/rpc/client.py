"""A client of the scheduler's gRPC service, for the command line."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import grpc

from scheduler_app.exceptions import SchedulerError
from scheduler_app.rpc.identity import ACTOR_KEY, SURFACE_KEY
from scheduler_app.rpc.stubs import memory_pb2 as pb
from scheduler_app.rpc.stubs import memory_pb2_grpc
from scheduler_app.text import printable, shown

DEFAULT_ENDPOINT = "http://127.0.0.1:50051"
DEADLINE = 10.0
"""Seconds that a call may take."""
LARGEST_ANSWER = 64 * 1024 * 1024
"""Bytes; gRPC's own limit, 4 MiB, is reached by some ten thousand jobs."""


class CallError(SchedulerError):
    """The server could not be reached, or refused; the text is for people."""


class NoAnswer(CallError):
    """The server is not there, or does not answer in time."""


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

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()

    def status(self) -> pb.GetSchedulerStatusResponse:
        answer: pb.GetSchedulerStatusResponse = self._call(
            self._stub.GetSchedulerStatus, pb.GetSchedulerStatusRequest()
        )
        return answer

    def pause(self, name: str) -> pb.PauseJobResponse:
        request = pb.PauseJobRequest(job_name=name)
        answer: pb.PauseJobResponse = self._call(self._stub.PauseJob, request)
        return answer

    def resume(self, name: str) -> pb.ResumeJobResponse:
        request = pb.ResumeJobRequest(job_name=name)
        answer: pb.ResumeJobResponse = self._call(self._stub.ResumeJob, request)
        return answer

    def cancel(self, run_id: int, reason: str = "") -> pb.CancelRunResponse:
        request = pb.CancelRunRequest(run_id=run_id, reason=reason)
        answer: pb.CancelRunResponse = self._call(self._stub.CancelRun, request)
        return answer

    def _call(self, method: Any, request: Any) -> Any:
        who = ((ACTOR_KEY, user()), (SURFACE_KEY, "cli"))
        with _told_plainly(self.endpoint):
            return method(request, timeout=DEADLINE, metadata=who)


def target_of(endpoint: str) -> str:
    """Return the endpoint as gRPC's HOST:PORT. Raises CallError."""
    bad = CallError(
        f"Bad endpoint {shown(endpoint)}: write {DEFAULT_ENDPOINT}, or 127.0.0.1:50051."
    )
    try:
        parts = urlsplit(endpoint if "://" in endpoint else f"http://{endpoint}")
        has_address = parts.hostname and parts.port
    except ValueError:
        raise bad from None
    if parts.scheme == "https":
        raise CallError(f"{endpoint}: the server has no encryption yet; write http:// instead.")
    if not has_address or parts.scheme != "http" or parts.path not in ("", "/") or parts.query:
        raise bad
    return parts.netloc


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


def user() -> str:
    """Return the name of the operating system's user, as call metadata takes it."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
    return printable(name).encode("ascii", "backslashreplace").decode()
