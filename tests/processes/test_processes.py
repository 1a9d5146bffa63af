"""Worker processes: real ones, by way of a real launcher."""

import os
import resource
import socket
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from scheduler_app.processes import protocol
from scheduler_app.processes.handle import Ending, Worker
from scheduler_app.processes.pool import Processes
from tests.harness.processes import descendants, is_alive, parent_and_state, seconds_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

Start = Callable[..., Worker]


PREPARE = "scheduler_app.execution.setup.load"


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[tuple[Processes, Worker]] = []

    def _start(serve: str, timeout: float | None = 30) -> Worker:
        processes = Processes(f"tests.processes.serving.{serve}", prepare=PREPARE)
        started.append((processes, processes.launch(timeout)))
        return started[-1][1]

    yield _start
    for processes, worker in started:
        worker.close()
        processes.close()


def all_of(worker: Worker) -> list[dict[str, Any]]:
    """What it sends until it is gone."""
    messages = []
    while worker.ending is None:
        messages += worker.receive(1)
    return messages


def pid_of(worker: Worker) -> int:
    """As it tells itself."""
    while not (messages := worker.receive(1)):
        assert worker.ending is None
    pid: int = messages[0]["pid"]
    return pid


def is_gone(pid: int) -> bool:
    return not is_alive(pid)


def test_messages_go_there_and_come_back(start: Start) -> None:
    worker = start("echo")
    message = {"text": "a\n\0\ud800", "number": 1.5}
    worker.send(message)
    assert all_of(worker) == [message]
    assert worker.ending == Ending(exit_code=0)


def test_worker_is_as_its_scheduler_and_holds_none_of_its_files(start: Start) -> None:
    (told,) = all_of(start("tell"))
    assert told["group"]
    assert told["session"] != os.getsid(0)  # Ctrl-C at our terminal does not reach it
    assert (told["path"], told["arguments"]) == (sys.path, sys.argv)
    assert told["folder"] == os.getcwd()
    assert len(told["files"]) == 5  # standard input, output and error, its channel and its pipe
    assert told["child_signal"]


def test_what_was_registered_in_the_worker_is_done_at_its_exit(start: Start) -> None:
    assert all_of(start("end")) == [{"text": "at exit"}]


def test_worker_that_raises_exits_with_1(start: Start, capfd: pytest.CaptureFixture[str]) -> None:
    worker = start("fail")
    all_of(worker)
    assert str(worker.ending) == "exited with code 1"
    assert "RuntimeError: a fault of the worker" in capfd.readouterr().err


def test_worker_is_killed_when_its_time_is_up(start: Start) -> None:
    worker = start("sleep", timeout=1)
    (told,) = all_of(worker)
    assert worker.ending == Ending(exit_code=-9, timed_out=True)
    assert not is_alive(told["pid"])


def test_worker_is_killed_on_demand_and_when_it_is_given_up(start: Start) -> None:
    for end in (Worker.kill, Worker.close):
        worker = start("sleep")
        pid = pid_of(worker)
        end(worker)
        seconds_until(partial(is_gone, pid))


def test_request_that_is_given_up_before_it_is_served_starts_nothing() -> None:
    processes = Processes("tests.processes.serving.sleep", prepare=PREPARE)
    processes.launch(None).close()
    worker = processes.launch(None)
    pid = pid_of(worker)
    assert descendants(parent_and_state(pid)[0]) == {pid}
    processes.close()
    worker.close()


def test_closing_kills_all_workers_and_leaves_no_process() -> None:
    before = descendants(os.getpid())
    processes = Processes("tests.processes.serving.sleep", prepare=PREPARE)
    workers = [processes.launch(None) for _ in range(3)]
    for worker in workers:
        pid_of(worker)
    began = time.monotonic()
    processes.close()
    assert time.monotonic() - began < 20  # they would take a minute
    assert descendants(os.getpid()) == before
    for worker in workers:
        all_of(worker)
        assert worker.ending == Ending(exit_code=-9)
        worker.close()
    with pytest.raises(OSError, match="the scheduler has stopped"):
        processes.launch(None)


def test_system_without_room_for_a_process_is_told(start: Start) -> None:
    processes = Processes("tests.processes.serving.sleep", prepare=PREPARE)
    _, hard = limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    open_files = len(os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (open_files, hard))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            processes.launch(None)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    processes.close()


@pytest.mark.parametrize(
    ("ending", "text"),
    [
        (Ending(exit_code=3), "exited with code 3"),
        (Ending(exit_code=-11), "killed by signal 11 (SIGSEGV)"),
        (Ending(exit_code=-40), "killed by signal 40"),
        (Ending(error="no memory"), "no memory"),
    ],
)
def test_ending_is_told_in_words(ending: Ending, text: str) -> None:
    assert str(ending) == text


def test_request_that_comes_after_a_refusal_is_not_lost() -> None:
    here, there = socket.socketpair()
    with here, there, socket.socket() as control, socket.socket() as data:
        protocol.send_order(here, None, control, data, 1)
        protocol.refuse_orders(there, "why")
        with pytest.raises(ConnectionError):
            protocol.send_order(here, None, control, data, 1)
