"""A second signal ends a process immediately, and the first one within a limit."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from scheduler_app.management.ending import SIGNALS, ExitCode
from scheduler_app.rpc.stubs import memory_pb2, memory_pb2_grpc
from tests.harness import ROOT, Daemon, eventually
from tests.liveness.conftest import MakeSite
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
    """A call that waits for the database, in the midst of a stop that waits for the call."""
    with grpc.insecure_channel(f"127.0.0.1:{daemon.port}") as channel:
        grpc.channel_ready_future(channel).result(20)
        stub = memory_pb2_grpc.MemoryServiceStub(channel)
        call = stub.PauseJob.future(memory_pb2.PauseJobRequest(job_name="tick"), timeout=60)
        time.sleep(0.5)  # it has reached the database, most likely
        assert not call.done(), call
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
        time.sleep(1)
        assert daemon.process.poll() is None  # it waits for the run, or the call
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.process.wait(AT_ONCE) == 128 + signal.SIGTERM


@pytest.mark.parametrize("number", SIGNALS)
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
def test_start_that_hangs_ends_at_a_signal(
    make_site: MakeSite, tmp_path: Path, command: str
) -> None:
    with hanging_start(make_site, tmp_path, command) as process:
        process.terminate()
        assert process.wait(LIMIT) == ExitCode.CUT_OFF


@pytest.mark.parametrize("command", COMMANDS)
def test_start_that_hangs_ends_at_once_at_a_second_signal(
    make_site: MakeSite, tmp_path: Path, command: str
) -> None:
    with hanging_start(make_site, tmp_path, command) as process:
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(AT_ONCE) == 128 + signal.SIGINT


@contextmanager
def hanging_start(
    make_site: MakeSite, folder: Path, command: str
) -> Iterator["subprocess.Popen[bytes]"]:
    begun = folder / "begun"
    process: subprocess.Popen[bytes] = subprocess.Popen(
        [sys.executable, "manage.py", command, "127.0.0.1:0"], cwd=ROOT,
        env=make_site().env | {"SICK_START": str(begun)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        eventually(begun.exists)
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("command", COMMANDS)
def test_start_beside_locked_tables_ends_at_a_signal(make_site: MakeSite, command: str) -> None:
    site = make_site()
    with held(site, *TABLES):
        process = subprocess.Popen(
            [sys.executable, "manage.py", command, "127.0.0.1:0"], cwd=ROOT, env=site.env,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            time.sleep(3)  # it waits for the tables, or serves already, most likely
            process.terminate()
            assert process.wait(LIMIT) in (ExitCode.STOPPED, ExitCode.CUT_OFF, 1, -signal.SIGTERM)
        finally:
            process.kill()
            process.wait()


def test_server_whose_own_thread_has_ended_exits(make_site: MakeSite) -> None:
    code = (
        "import threading, django; django.setup()\n"
        "from django.core.management import execute_from_command_line\n"
        "from tests.liveness.sick.jobs import _end_thread\n"
        "threading.Timer(5, _end_thread, ['_serve']).start()\n"
        "execute_from_command_line(['manage.py', 'grpcrunserver', '127.0.0.1:0'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=make_site().env, text=True,
        capture_output=True, timeout=LIMIT, check=False,
    )  # fmt: skip
    assert done.returncode == ExitCode.STUCK
    assert "no call is answered any more" in done.stderr
