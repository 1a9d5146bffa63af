"""A real server on a port of its own, and channels to it."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from scheduler_app.rpc import live as rpc_live
from scheduler_app.rpc.server import Server
from scheduler_app.rpc.stubs import memory_pb2_grpc
from scheduler_app.status import live
from tests.harness import ROOT
from tests.harness.needs import missing

NODE = ROOT / "tests" / "node"


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """No status is kept: the tests write rows that the feed does not know."""
    monkeypatch.setattr(rpc_live, "FRESH", 0.0)
    monkeypatch.setattr(live, "REBUILT_EVERY", 0.0)
    monkeypatch.setattr(live, "REBUILT_SHARE", 0)


@pytest.fixture
def serve(transactional_db: None) -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def _serve(address: str = "127.0.0.1:0", **options: Any) -> Server:
        server = Server(address, **options)
        servers.append(server)
        server.start()
        return server

    yield _serve
    for server in servers:
        server.stop(1)


@pytest.fixture
def channel(serve: Callable[..., Server]) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(serve().address) as channel:
        yield channel


@pytest.fixture
def stub(channel: grpc.Channel) -> memory_pb2_grpc.MemoryServiceStub:
    return memory_pb2_grpc.MemoryServiceStub(channel)


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the programs for Node, with the packages that they need."""
    if not shutil.which("npm"):
        missing("npm is not installed")
    folder = tmp_path_factory.mktemp("node")
    for path in NODE.iterdir():
        shutil.copy(path, folder)
    command = ["npm", "install", "--no-audit", "--no-fund", "--silent"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        missing(f"npm cannot install the packages: {done.stderr[-500:]}")
    return folder
