"""Clients that hold calls open, and messages that cannot be read, against a real server."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from scheduler_app.models import Job
from scheduler_app.rpc import guard
from scheduler_app.rpc.server import Server
from scheduler_app.rpc.stubs import memory_pb2 as pb
from scheduler_app.rpc.stubs import memory_pb2_grpc
from tests.harness import eventually

pytestmark = pytest.mark.django_db(transaction=True)
Serve = Callable[..., Server]
MEMORY = "/memory.MemoryService"
DEADLINE = 8.0
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED


class Silence:
    """The messages of a client that sends none, until it is released."""

    def __init__(self, *first: Any) -> None:
        self._first, self.released = list(first), threading.Event()

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if self._first:
            return self._first.pop(0)
        self.released.wait()
        raise StopIteration


@contextmanager
def held_open(number: int, call: Callable[[Silence], Any], *first: Any) -> Iterator[list[Any]]:
    """So many of these calls, whose client sends no more than this."""
    silences = [Silence(*first) for _ in range(number)]
    calls = [call(silence) for silence in silences]
    try:
        yield calls
    finally:
        for opened, silence in zip(calls, silences, strict=True):
            opened.cancel()
            silence.released.set()


def raw_channel(address: str) -> Any:
    """A channel for calls without stubs, whose messages are bytes."""
    return grpc.insecure_channel(address)


def assert_answers(address: str) -> None:
    """Status, a change and a health check, for a client of its own."""
    with grpc.insecure_channel(address) as channel:
        stub = memory_pb2_grpc.MemoryServiceStub(channel)
        assert stub.GetSchedulerStatus(pb.GetSchedulerStatusRequest(), timeout=DEADLINE)
        answer = stub.PauseJob(pb.PauseJobRequest(job_name="nope"), timeout=DEADLINE)
        assert answer.error == "Job not found: nope"
        health = health_pb2_grpc.HealthStub(channel)
        assert health.Check(health_pb2.HealthCheckRequest(), timeout=DEADLINE)


@pytest.mark.parametrize("number", [10, 50])
def test_idle_reflection_streams_starve_nobody(serve: Serve, number: int) -> None:
    address = serve().address
    with grpc.insecure_channel(address) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        with held_open(number, stub.ServerReflectionInfo):
            assert_answers(address)


def test_stream_beyond_the_limit_is_refused_with_its_code(serve: Serve) -> None:
    with grpc.insecure_channel(serve().address) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        ask = reflection_pb2.ServerReflectionRequest(list_services="")
        with held_open(guard.STREAMS, stub.ServerReflectionInfo, ask) as calls:
            for call in calls:
                next(call)
            with pytest.raises(grpc.RpcError) as caught:
                next(stub.ServerReflectionInfo(iter([ask]), timeout=DEADLINE))
            assert caught.value.code() == EXHAUSTED


def test_idle_stream_is_ended_and_makes_room(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "IDLE_LOOKS", 2)
    with grpc.insecure_channel(serve().address) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        ask = reflection_pb2.ServerReflectionRequest(list_services="")
        with held_open(guard.STREAMS, stub.ServerReflectionInfo, ask) as calls:
            for call in calls:
                next(call)
                with pytest.raises(grpc.RpcError):
                    next(call)
            assert len(list(stub.ServerReflectionInfo(iter([ask]), timeout=DEADLINE))) == 1


def test_streams_that_ended_make_room_for_others(serve: Serve) -> None:
    with grpc.insecure_channel(serve().address) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        ask = reflection_pb2.ServerReflectionRequest(list_services="")
        for _ in range(guard.STREAMS * 3):
            eventually(lambda: _lists_services(stub, ask))


def _lists_services(stub: Any, ask: Any) -> bool:
    """False: the slot of the stream before is not back yet."""
    call = stub.ServerReflectionInfo(iter([ask]), timeout=DEADLINE)
    with suppress(grpc.RpcError):
        return len(list(call)) == 1
    return bool(call.code() != EXHAUSTED)


@pytest.mark.parametrize("method", ["GetSchedulerStatus", "PauseJob"])
def test_calls_without_a_message_starve_nobody(serve: Serve, method: str) -> None:
    address = serve().address
    with raw_channel(address) as channel:
        call = channel.stream_unary(f"{MEMORY}/{method}").future
        with held_open(20, call) as calls:
            assert_answers(address)
            assert all(call.exception(timeout=30) is not None for call in calls)


def test_health_checks_without_a_message_starve_no_check(serve: Serve) -> None:
    address = serve().address
    with raw_channel(address) as channel:
        check = channel.stream_unary("/grpc.health.v1.Health/Check").future
        with held_open(50, check):
            assert_answers(address)


def test_health_watches_are_limited_and_starve_nobody(serve: Serve) -> None:
    address = serve().address
    channels = [grpc.insecure_channel(address, [("id", number)]) for number in range(2)]
    stubs = [health_pb2_grpc.HealthStub(channel) for channel in channels]
    watches = [
        stubs[number % 2].Watch(health_pb2.HealthCheckRequest()) for number in range(guard.WATCHES)
    ]
    for watch in watches:
        next(watch)
    with pytest.raises(grpc.RpcError) as caught:
        next(stubs[0].Watch(health_pb2.HealthCheckRequest()))
    assert caught.value.code() == EXHAUSTED
    assert_answers(address)
    for channel in channels:
        channel.close()
    with grpc.insecure_channel(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        eventually(lambda: _is_told(stub))


def _is_told(stub: Any) -> bool:
    watch = stub.Watch(health_pb2.HealthCheckRequest())
    with suppress(grpc.RpcError):
        next(watch)
        watch.cancel()
        return True
    return bool(watch.code() != EXHAUSTED)


def test_process_that_stood_still_ends_no_call() -> None:
    patience = guard.Patience()
    cancelled = threading.Event()

    class Context:
        cancel = cancelled.set

    def late() -> Iterator[str]:
        time.sleep(4 * guard.LOOK)  # nobody looks meanwhile
        yield "message"

    assert patience.next(late(), Context, looks=1) == "message"
    patience.start()
    patience.stop()
    assert not cancelled.is_set()


@pytest.mark.parametrize("data", [b"\xff\xff\xff", b"\x0a\x02\xff\xfe", b"\x0a\x7f"])
@pytest.mark.parametrize(
    "method",
    [
        f"{MEMORY}/PauseJob",
        f"{MEMORY}/ResumeJob",
        f"{MEMORY}/CancelRun",
        "/grpc.health.v1.Health/Check",
    ],
)
def test_message_that_cannot_be_read_is_the_clients_error(
    channel: Any, method: str, data: bytes
) -> None:
    if method.endswith("CancelRun"):
        data = data.replace(b"\x0a", b"\x12")  # the field that is text
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary(method)(data, timeout=DEADLINE)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("method", ["Health/Watch", "reflection"])
def test_stream_that_cannot_be_read_is_the_clients_error(channel: Any, method: str) -> None:
    path = {
        "Health/Watch": "/grpc.health.v1.Health/Watch",
        "reflection": "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    }[method]
    with pytest.raises(grpc.RpcError) as caught:
        next(channel.stream_stream(path)(iter([b"\xff\xff\xff"]), timeout=DEADLINE))
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_call_that_ends_without_a_message_is_the_clients_error(channel: Any) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        channel.stream_unary(f"{MEMORY}/PauseJob")(iter([]), timeout=DEADLINE)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("method", [f"{MEMORY}/DropTables", "/nope.Nope/Nope"])
def test_unknown_method_is_unimplemented(channel: Any, method: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary(method)(b"", timeout=DEADLINE)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_message_that_is_too_large_is_refused(stub: Any) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        stub.PauseJob(pb.PauseJobRequest(job_name="x" * 5_000_000), timeout=DEADLINE)
    assert caught.value.code() == EXHAUSTED


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 1_000_000, "\N{FIRE}" * 200, "a\nb", "'; --"])
@pytest.mark.parametrize("method", ["PauseJob", "ResumeJob"])
def test_name_that_no_job_can_have_is_an_answer(
    stub: Any, make_job: Callable[..., Job], method: str, name: str
) -> None:
    make_job("nightly")
    request = pb.PauseJobRequest if method == "PauseJob" else pb.ResumeJobRequest
    answer = getattr(stub, method)(request(job_name=name), timeout=DEADLINE)
    assert not answer.success
    assert answer.error.startswith("Job not found: ")
    assert len(answer.error) < 300
    assert "\0" not in answer.error


@pytest.mark.parametrize("run_id", [0, -1, -(2**63), 2**63 - 1])
def test_number_that_no_run_can_have_is_an_answer(stub: Any, run_id: int) -> None:
    answer = stub.CancelRun(pb.CancelRunRequest(run_id=run_id), timeout=DEADLINE)
    assert answer.error == f"Run not found: {run_id}"


def test_call_for_which_no_thread_can_be_started_waits_for_the_next(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a limit of memory or threads. It must not end the one thread that serves all calls."""
    server = serve()
    start = threading.Thread.start
    refused = threading.Event()

    def refuse(thread: threading.Thread) -> None:
        if thread.name.startswith("scheduler-grpc"):
            refused.set()
            raise RuntimeError("can't start new thread")
        start(thread)

    with grpc.insecure_channel(server.address) as channel:
        check = health_pb2_grpc.HealthStub(channel).Check
        with monkeypatch.context() as limited:
            limited.setattr(threading.Thread, "start", refuse)
            first = check.future(health_pb2.HealthCheckRequest(), timeout=DEADLINE)
            assert refused.wait(DEADLINE)
        assert check(health_pb2.HealthCheckRequest(), timeout=DEADLINE).status
        assert first.result().status
    (serving,) = server.threads
    assert serving.is_alive()
