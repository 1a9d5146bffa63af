"""How many calls a second a caller may make, over real channels."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import pytest
from django.contrib.auth.models import Permission, User
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status
from pytest_django import Settings

from scheduler_app.control import Actor, tokens
from scheduler_app.exceptions import TooManyCalls
from scheduler_app.models import Scope, Surface
from scheduler_app.rpc import access, limits, watch
from scheduler_app.rpc.client import Client
from scheduler_app.rpc.endpoint import CallError
from scheduler_app.rpc.limits import Limits, network
from scheduler_app.rpc.server import Server
from scheduler_app.rpc.stubs import memory_pb2 as pb
from scheduler_app.rpc.stubs.memory_pb2_grpc import MemoryServiceStub

pytestmark = pytest.mark.django_db(transaction=True)
Serve = Callable[..., Server]
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED
RATE = 5
AT_ONCE = int(RATE * limits.BURST)
DEADLINE = 8.0


class Clock:
    """A monotonic clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def few_calls(settings: Settings) -> None:
    settings.SCHEDULER = {"calls_per_second": RATE}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """That of the limits of servers made afterwards."""
    clock = Clock()
    monkeypatch.setattr(access, "Limits", lambda: Limits(clock))
    return clock


@pytest.fixture
def stub(clock: Clock, serve: Serve) -> Iterator[MemoryServiceStub]:
    with grpc.insecure_channel(serve().address) as channel:
        yield MemoryServiceStub(channel)


def token() -> str:
    user, _ = User.objects.get_or_create(username="ada")
    user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    return tokens.create(user, tuple(Scope), by=Actor("ada", Surface.CODE))[1]


def code(stub: Any, proof: str = "") -> str:
    """Make a call, and return its status code."""
    metadata = [("authorization", f"Bearer {proof}")] if proof else []
    try:
        stub.ListJobs(pb.ListJobsRequest(), metadata=metadata, timeout=DEADLINE)
    except grpc.RpcError as error:
        return str(error.code().name)
    return "OK"


def exhaust(stub: Any, proof: str = "") -> grpc.RpcError:
    """Make calls until one is refused, and return its error."""
    metadata = [("authorization", f"Bearer {proof}")] if proof else []
    for _ in range(AT_ONCE + 1):
        try:
            stub.ListJobs(pb.ListJobsRequest(), metadata=metadata, timeout=DEADLINE)
        except grpc.RpcError as error:
            return error
    raise AssertionError("no call was refused")


def test_call_beyond_the_limit_is_refused_with_when_to_retry(stub: Any) -> None:
    error: Any = exhaust(stub)
    status = rpc_status.from_call(error)
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    assert status.details[0].Unpack(info)
    assert status.details[1].Unpack(retry)
    assert error.code() == EXHAUSTED
    assert info.reason == "TOO_MANY_CALLS"
    assert retry.retry_delay.ToMilliseconds() == pytest.approx(1000 / RATE, abs=1)
    assert "from loopback addresses without a token may make 5 a second" in status.message
    assert 'SCHEDULER["calls_per_second"]' in status.message


def test_caller_that_waits_as_told_is_answered(stub: Any, clock: Clock) -> None:
    exhaust(stub)
    clock.now += 1 / RATE
    assert [code(stub), code(stub)] == ["OK", "RESOURCE_EXHAUSTED"]


def test_rested_caller_may_make_all_calls_at_once(stub: Any, clock: Clock) -> None:
    exhaust(stub)
    clock.now += 60
    assert [code(stub) for _ in range(AT_ONCE)] == ["OK"] * AT_ONCE
    assert code(stub) == "RESOURCE_EXHAUSTED"


def test_token_has_a_limit_of_its_own(stub: Any) -> None:
    first, second = token(), token()
    error: Any = exhaust(stub, first)
    assert error.details().startswith(f"Too many calls: the token {first.split('_')[1]} of ada ")
    assert [code(stub, second), code(stub)] == ["OK", "OK"]


def test_other_connections_of_a_caller_share_its_limit(clock: Clock, serve: Serve) -> None:
    address = serve().address
    for number in range(2):
        with grpc.insecure_channel(address, [("id", number)]) as channel:
            if number == 0:
                exhaust(MemoryServiceStub(channel))
            assert code(MemoryServiceStub(channel)) == "RESOURCE_EXHAUSTED"


def test_socket_of_the_owner_has_no_limit(clock: Clock, serve: Serve, tmp_path: Path) -> None:
    serve(socket_path=str(tmp_path / "s"))
    with grpc.insecure_channel(f"unix:{tmp_path / 's'}") as channel:
        stub = MemoryServiceStub(channel)
        assert {code(stub) for _ in range(5 * AT_ONCE)} == {"OK"}


def test_health_checks_are_not_counted(clock: Clock, serve: Serve) -> None:
    with grpc.insecure_channel(serve().address) as channel:
        check = health_pb2_grpc.HealthStub(channel).Check
        for _ in range(3 * AT_ONCE):
            check(health_pb2.HealthCheckRequest(), timeout=DEADLINE)
        exhaust(MemoryServiceStub(channel))
        assert check(health_pb2.HealthCheckRequest(), timeout=DEADLINE)


def test_guesses_of_tokens_are_refused_without_a_query(
    stub: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up = []
    find = tokens.find
    monkeypatch.setattr(tokens, "find", lambda text: (looked_up.append(text), find(text))[1])
    guesses = [f"sched_{number:012x}_{'0' * 64}" for number in range(20)]
    codes = [code(stub, guess) for guess in guesses]
    many = AT_ONCE // access.GUESS
    assert codes == ["UNAUTHENTICATED"] * many + ["RESOURCE_EXHAUSTED"] * (20 - many)
    assert looked_up == guesses[:many]


def test_guesses_from_its_address_do_not_stop_a_known_token(
    stub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "REMEMBERED", 0.0)
    known, revoked = token(), token()
    assert [code(stub, known), code(stub, revoked)] == ["OK", "OK"]
    tokens.revoke(revoked.split("_")[1], by=Actor("ada", Surface.CODE))
    assert code(stub, revoked) == "UNAUTHENTICATED"
    assert code(stub, revoked) == "RESOURCE_EXHAUSTED"  # now it is a guess like any other
    assert code(stub, known) == "OK"


def test_watcher_is_counted_once(stub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "BOOKMARK", 0.01)
    answers = stub.WatchScheduler(pb.WatchSchedulerRequest(), timeout=60)
    for _ in range(3 * AT_ONCE):
        next(answers)
    assert code(stub) == "OK"
    answers.cancel()


def test_watch_beyond_the_limit_is_refused(stub: Any) -> None:
    exhaust(stub)
    with pytest.raises(grpc.RpcError) as caught:
        next(stub.WatchScheduler(pb.WatchSchedulerRequest(), timeout=DEADLINE))
    assert caught.value.code() == EXHAUSTED


def test_own_client_tells_the_limit_in_its_words(clock: Clock, serve: Serve) -> None:
    with closing(Client(serve().address)) as client:
        for _ in range(AT_ONCE):
            client.call("ListJobs")
        with pytest.raises(CallError) as caught:
            client.call("ListJobs")
    assert str(caught.value).startswith("Too many calls: all callers from loopback addresses")
    assert caught.value.code == "RESOURCE_EXHAUSTED"


def calls(counter: Limits, caller: str, number: int, weight: int = 1) -> int:
    """Return how many of so many calls are answered."""
    answered = 0
    for _ in range(number):
        try:
            counter.count(caller, weight)
        except TooManyCalls:
            continue
        answered += 1
    return answered


def test_steady_caller_at_the_limit_is_never_refused() -> None:
    clock = Clock()
    counter = Limits(clock)
    assert calls(counter, "ada", AT_ONCE) == AT_ONCE
    for _ in range(1_000):
        clock.now += 1 / RATE
        counter.count("ada")


def test_refused_calls_are_not_held_against_a_caller() -> None:
    clock = Clock()
    counter = Limits(clock)
    assert calls(counter, "ada", 1_000) == AT_ONCE
    clock.now += 1.0
    assert calls(counter, "ada", 1_000) == RATE


def test_heavy_call_of_a_rested_caller_is_answered(settings: Settings) -> None:
    settings.SCHEDULER = {"calls_per_second": 1}
    clock = Clock()
    counter = Limits(clock)
    assert calls(counter, "guess", 9, weight=5) == 1
    clock.now += 5.0
    assert calls(counter, "guess", 9, weight=5) == 1


def test_flood_of_callers_gives_none_of_them_new_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_CALLERS", 100)
    clock = Clock()
    counter = Limits(clock)
    assert calls(counter, "ada", 99) == AT_ONCE
    assert sum(calls(counter, f"flood {number}", 1) for number in range(10_000)) < 200
    assert calls(counter, "ada", 99) == 0
    assert len(counter) <= 101


def test_callers_that_rest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_CALLERS", 100)
    clock = Clock()
    counter = Limits(clock)
    for number in range(1_000):
        counter.count(str(number))
        clock.now += 1.0
    assert len(counter) <= 100
    assert calls(counter, "1000", 99) == AT_ONCE


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("ipv4:127.0.0.1", "loopback addresses"),
        ("ipv4:127.9.9.9", "loopback addresses"),
        ("ipv6:[::1]", "loopback addresses"),
        ("ipv6:[::ffff:127.0.0.1]", "loopback addresses"),
        ("ipv4:192.0.2.7", "192.0.2.7"),
        ("ipv6:[::ffff:192.0.2.7]", "192.0.2.7"),
        ("ipv6:[2001:db8:1:2:3:4:5:6]", "2001:db8:1:2::/64"),
        ("ipv6:[fe80::1%eth0]", "fe80::/64"),
        ("", ""),
        ("vsock:3", "vsock:3"),
    ],
)
def test_addresses_of_one_owner_are_one_caller(host: str, found: str) -> None:
    assert network(host) == found
