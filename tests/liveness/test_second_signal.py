"""A second signal ends a process at once, whatever it is doing, and so does the first in time."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import pytest

from scheduler_app.rpc.stubs import memory_pb2, memory_pb2_grpc
from tests.harness import ROOT, Daemon, eventually
from tests.liveness.conftest import MakeSite, SickSite
from tests.liveness.database import held

COMMANDS = ["runscheduler", "grpcrunserver"]
AT_ONCE = 15
"""Seconds, on a busy machine. A stop that waits for what hangs here would take minutes."""
LIMIT = 40
"""Seconds; the longest stop here takes 2 and 15, and more on a busy machine."""
TABLES = [
    f"LOCK TABLE scheduler_app_{name} IN ACCESS EXCLUSIVE MODE"
    for name in ("node", "heartbeat", "job", "jobrun")
]


@contextmanager
def hanging_call(daemon: Daemon) -> Iterator[None]:
    """A call that waits for the database."""
    with grpc.insecure_channel(f"127.0.0.1:{daemon.port}") as channel:
        stub = memory_pb2_grpc.MemoryServiceStub(channel)
        stub.GetSchedulerStatus.future(memory_pb2.GetSchedulerStatusRequest(), timeout=60)
        time.sleep(0.5)  # it has reached the database, most likely
        yield


@pytest.mark.parametrize("command", COMMANDS)
def test_second_signal_beside_a_lock(make_site: MakeSite, command: str) -> None:
    site = make_site(shutdown_timeout=120)
    scheduler = site.start()
    site.trigger("endless")
    eventually(lambda: site.states("endless") == ["running"])
    daemon = scheduler if command == "runscheduler" else site.start(command)
    with held(site, *TABLES), hanging_call(daemon):
        daemon.process.send_signal(signal.SIGHUP)
        if command == "runscheduler":
            eventually(lambda: "Stopping" in daemon.output())
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.process.wait(AT_ONCE) in (0, 3, 128 + signal.SIGTERM)
        if command == "runscheduler":
            assert daemon.process.returncode == 128 + signal.SIGTERM


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_each_signal_stops_a_server(make_site: MakeSite, number: signal.Signals) -> None:
    server = make_site().start("grpcrunserver")
    server.process.send_signal(number)
    assert server.process.wait(LIMIT) == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_stop_beside_a_lock_is_bounded(make_site: MakeSite, command: str) -> None:
    site = make_site()
    daemon = site.start(command)
    with held(site, *TABLES), hanging_call(daemon):
        daemon.process.terminate()
        assert daemon.process.wait(LIMIT) in (0, 3)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_two_signals_during_the_start(
    make_site: MakeSite, command: str, number: signal.Signals
) -> None:
    site = make_site()
    with held(site, *TABLES), starting(site, command) as process:
        for _ in range(2):
            process.send_signal(number)
            time.sleep(0.2)
        # Before the command has begun, the first ends it as it ends any program; a server, which
        # needs no database to start, may have stopped in order.
        assert process.wait(AT_ONCE) in (128 + number, -number, 1, 0)
        assert process.returncode or command == "grpcrunserver"


@contextmanager
def starting(site: SickSite, command: str) -> Iterator["subprocess.Popen[bytes]"]:
    process: subprocess.Popen[bytes] = subprocess.Popen(
        [sys.executable, "manage.py", command, "127.0.0.1:0"], cwd=ROOT, env=site.env,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    time.sleep(1.5)  # in the midst of the start, most likely
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_server_whose_own_thread_has_ended_exits(make_site: MakeSite) -> None:
    site = make_site()
    code = (
        "import django, threading; django.setup()\n"
        "import scheduler_app.rpc.server as server\n"
        "from django.core.management import execute_from_command_line\n"
        "before = server.Server.start\n"
        "def start(self):\n"
        "    before(self)\n"
        "    self.threads.append(threading.Thread())\n"
        "server.Server.start = start\n"
        "execute_from_command_line(['manage.py', 'grpcrunserver', '127.0.0.1:0'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=site.env, text=True, capture_output=True,
        timeout=LIMIT, check=False,
    )  # fmt: skip
    assert done.returncode == 4
    assert "no call is answered any more" in done.stderr
