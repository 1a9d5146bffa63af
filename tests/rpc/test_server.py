"""The server around the service: address, health, reflection, stop."""

import threading
import time
from collections.abc import Callable
from threading import Thread
from typing import Any

import grpc
import pytest
from grpc import _server
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from scheduler_app import status
from scheduler_app.models import Node
from scheduler_app.rpc.endpoint import AddressError
from scheduler_app.rpc.server import SERVICE, Server, is_loopback, split_address
from scheduler_app.rpc.stubs import memory_pb2 as pb
from scheduler_app.rpc.stubs import memory_pb2_grpc
from scheduler_app.status import live

pytestmark = pytest.mark.django_db(transaction=True)
Serve = Callable[..., Server]
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def health(channel: grpc.Channel, service: str = "") -> int:
    answer = health_pb2_grpc.HealthStub(channel).Check(
        health_pb2.HealthCheckRequest(service=service)
    )
    return int(answer.status)


def test_thread_that_takes_the_calls_is_known(serve: Serve) -> None:
    """Else its end would go unnoticed."""
    assert len(serve().threads) == 1


def eventually(happens: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("service", ["", SERVICE])
def test_not_serving_without_a_scheduler(channel: grpc.Channel, service: str) -> None:
    assert health(channel, service) == NOT_SERVING


def test_serving_while_a_scheduler_is_alive(channel: grpc.Channel) -> None:
    node = Node.objects.create(name="here:1")
    eventually(lambda: health(channel, SERVICE) == SERVING)
    Node.objects.filter(pk=node.pk).close()
    eventually(lambda: health(channel, SERVICE) == NOT_SERVING)


def test_many_watchers_do_not_starve_a_check(channel: grpc.Channel) -> None:
    stub = health_pb2_grpc.HealthStub(channel)
    watchers = [stub.Watch(health_pb2.HealthCheckRequest()) for _ in range(30)]
    assert [next(iter(watcher)).status for watcher in watchers] == [NOT_SERVING] * 30
    assert health(channel) == NOT_SERVING
    for watcher in watchers:
        watcher.cancel()


def test_watchers_that_go_while_the_health_changes_block_nothing(serve: Serve) -> None:
    server = serve()
    servicer = server._health.servicer
    for _ in range(20):
        with grpc.insecure_channel(server.address) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            watchers = [stub.Watch(health_pb2.HealthCheckRequest()) for _ in range(10)]
            for watcher in watchers:
                next(iter(watcher))
            for state in (SERVING, NOT_SERVING):
                change = threading.Thread(target=servicer.set, args=("", state), daemon=True)
                change.start()
                for watcher in watchers:
                    watcher.cancel()
                change.join(30)
                assert not change.is_alive()


def test_reflection_lists_the_services(channel: grpc.Channel) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    (answer,) = stub.ServerReflectionInfo(iter([request]))
    names = {service.name for service in answer.list_services_response.service}
    assert {"memory.MemoryService", "grpc.health.v1.Health"} <= names


def test_call_that_is_under_way_ends_before_the_stop(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, original = threading.Event(), status.scheduler_health

    def slow() -> status.SchedulerHealth:
        begun.set()
        time.sleep(0.5)
        return original()

    monkeypatch.setattr(live, "scheduler_health", slow)
    server = serve()
    with grpc.insecure_channel(server.address) as channel:
        stub = memory_pb2_grpc.MemoryServiceStub(channel)
        call = stub.GetSchedulerStatus.future(pb.GetSchedulerStatusRequest())
        assert begun.wait(30)
        server.stop(5)
        assert not call.result().jobs


def test_taken_port_is_refused(serve: Serve) -> None:
    with pytest.raises(AddressError, match="the port is taken"):
        Server(serve().address)


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "example.org:0"])
def test_address_that_others_reach_is_refused(address: str) -> None:
    with pytest.raises(AddressError, match="--insecure"):
        Server(address)


def test_insecure_allows_any_address(serve: Serve) -> None:
    assert serve("0.0.0.0:0", insecure=True).address.startswith("0.0.0.0:")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "localhost", "[::1]"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "address", ["", "50051", ":50051", "a:b", "a:", "::1:5", "a:70000", "[::1:5"]
)
def test_bad_address_is_named(address: str) -> None:
    with pytest.raises(AddressError, match="write HOST:PORT"):
        split_address(address)


def test_project_without_settings_of_the_framework_is_served(serve: Serve, settings: Any) -> None:
    del settings.GRPC_FRAMEWORK
    with grpc.insecure_channel(serve().address) as channel:
        stub = memory_pb2_grpc.MemoryServiceStub(channel)
        assert not stub.PauseJob(pb.PauseJobRequest(job_name="none")).success


def test_hook_of_the_project_adds_its_services(serve: Serve, settings: Any) -> None:
    asked: list[grpc.Server] = []
    settings.GRPC_FRAMEWORK = {"ROOT_HANDLERS_HOOK": asked.append}
    with grpc.insecure_channel(serve().address) as channel:
        stub = memory_pb2_grpc.MemoryServiceStub(channel)
        assert not stub.PauseJob(pb.PauseJobRequest(job_name="none")).success
    assert len(asked) == 1


def test_interceptors_of_the_settings_are_used(
    serve: Serve, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.GRPC_FRAMEWORK = settings.GRPC_FRAMEWORK | {"SERVER_INTERCEPTORS": []}

    def fail() -> None:
        raise RuntimeError("raw")

    monkeypatch.setattr(live, "scheduler_health", fail)
    with grpc.insecure_channel(serve().address) as channel:
        stub = memory_pb2_grpc.MemoryServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            stub.GetSchedulerStatus(pb.GetSchedulerStatusRequest())
    assert caught.value.code() == grpc.StatusCode.UNKNOWN


def test_server_whose_start_has_failed_midway_can_be_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def start(thread: Thread) -> None:
        if getattr(thread, "_target", None) is _server._serve:
            raise RuntimeError("can't start new thread")
        start_thread(thread)

    start_thread = Thread.start
    monkeypatch.setattr(Thread, "start", start)
    server = Server("127.0.0.1:0")
    with pytest.raises(RuntimeError):
        server.start()
    stopping = Thread(target=server.stop, args=(0.1,), daemon=True)
    stopping.start()
    stopping.join(20)
    assert not stopping.is_alive()
