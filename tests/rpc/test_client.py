"""The command line's client."""

from contextlib import closing

import grpc
import pytest

from scheduler_app.rpc.client import Client
from scheduler_app.rpc.endpoint import CallError, target_of


@pytest.mark.parametrize(
    ("endpoint", "target"),
    [
        ("http://127.0.0.1:50051", "127.0.0.1:50051"),
        ("http://127.0.0.1:50051/", "127.0.0.1:50051"),
        ("127.0.0.1:50051", "127.0.0.1:50051"),
        ("localhost:1", "localhost:1"),
        ("[::1]:50051", "[::1]:50051"),
    ],
)
def test_endpoint_with_and_without_scheme(endpoint: str, target: str) -> None:
    assert target_of(endpoint) == target


@pytest.mark.parametrize("endpoint", ["", "host", "http://host", "ftp://host:1", "host:x", "h:1/a"])
def test_bad_endpoint_is_named(endpoint: str) -> None:
    with pytest.raises(CallError, match="Bad endpoint"):
        target_of(endpoint)


def test_absent_server_is_told_in_one_line() -> None:
    with closing(Client("127.0.0.1:1")) as client, pytest.raises(CallError) as caught:
        client.call("GetSchedulerStatus")
    assert "No server answers at 127.0.0.1:1" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value.__cause__, grpc.RpcError)
