"""The warden beside a scheduler: it beats for it, and ends it."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from scheduler_app.processes.guard import Guard, Message
from tests.harness import ROOT, eventually
from tests.harness.processes import is_alive

HOLDING = """
import re, signal
from scheduler_app.processes.guard import Guard
signal.signal(signal.SIGTERM, lambda *_: None)
guard = Guard(end_within=1.0)
guard.start()
guard.follow_signals()
print("ready", flush=True)
re.match("(a+)+$", "a" * 60 + "b")  # takes years, and keeps the interpreter's lock
"""


@pytest.fixture
def guard() -> Iterator[Guard]:
    guard = Guard(end_within=600)
    guard.start()
    yield guard
    guard.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "beats.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE beat (problem TEXT)")
    return path


def beats(file: Path) -> int:
    with closing(sqlite3.connect(file, timeout=20)) as connection:
        ((count,),) = connection.execute("SELECT count(*) FROM beat")
    return int(count)


def order(file: Path, problem: str = "held") -> Message:
    return {
        "driver": "sqlite3",
        "parameters": {"database": str(file), "timeout": 5},
        "statements": [("INSERT INTO beat VALUES (?)", [problem])],
        "every": 0.05,
    }


def test_warden_beats_for_a_process_that_says_nothing(guard: Guard, file: Path) -> None:
    guard.send({"beat": order(file), "after": 0.3})
    eventually(lambda: beats(file) >= 2)


def test_warden_is_silent_while_its_scheduler_speaks(guard: Guard, file: Path) -> None:
    guard.send({"beat": order(file), "after": 600})
    guard.send({"beat": order(file), "after": 600})
    eventually(lambda: guard.pid and is_alive(guard.pid))
    assert beats(file) == 0


def test_warden_told_not_to_beat_is_silent(guard: Guard, file: Path) -> None:
    guard.send({"beat": order(file), "after": 0.0})
    eventually(lambda: beats(file))
    guard.send({"beat": None})
    marker = order(file.with_name("other"), "x")
    with closing(sqlite3.connect(file.with_name("other"))) as connection:
        connection.execute("CREATE TABLE beat (problem TEXT)")
    guard.send({"beat": marker, "after": 0.0})  # taken after the other order
    eventually(lambda: beats(file.with_name("other")))
    before = beats(file)
    eventually(lambda: beats(file.with_name("other")) > 3)
    assert beats(file) == before


def test_warden_survives_a_database_that_does_not_answer(guard: Guard, file: Path) -> None:
    guard.send({"beat": order(file / "no" / "such"), "after": 0.0})
    guard.send({"beat": order(file), "after": 0.0})
    eventually(lambda: beats(file))


def test_dead_warden_is_replaced(guard: Guard, file: Path) -> None:
    first = guard.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    eventually(lambda: not is_alive(first))
    guard.start()
    guard.send({"beat": order(file), "after": 0.0})
    eventually(lambda: beats(file))


def test_warden_vouches_for_no_stopped_process(file: Path) -> None:
    script = (
        "import json, sys, time; from scheduler_app.processes.guard import Guard; "
        "guard = Guard(600); guard.start(); guard.send(json.loads(sys.argv[1])); "
        "print('ready', flush=True); time.sleep(60)"
    )
    message = json.dumps({"beat": order(file), "after": 0.0})
    with subprocess.Popen(
        [sys.executable, "-c", script, message], cwd=ROOT, stdout=subprocess.PIPE
    ) as process:
        eventually(lambda: beats(file) >= 2)
        process.send_signal(signal.SIGSTOP)
        eventually(lambda: _stands(file))
        process.send_signal(signal.SIGCONT)
        before = beats(file)
        eventually(lambda: beats(file) > before)
        process.kill()


def _stands(file: Path) -> bool:
    """Whether nothing is added within a second, in which a warden looks four times."""
    before = beats(file)
    time.sleep(1)
    return beats(file) == before


def test_signal_ends_a_process_that_holds_its_interpreter() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDING], cwd=ROOT, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.terminate()
        assert process.wait(30) == -signal.SIGKILL


@pytest.mark.parametrize(("has_started", "code"), [(False, -signal.SIGKILL), (True, 0)])
def test_warden_ends_a_process_that_does_not_start(has_started: bool, code: int) -> None:
    script = (
        "import sys, time; from scheduler_app.processes.guard import Guard; "
        "guard = Guard(600); guard.start(); guard.send({'start_within': 0.5}); "
        f"{has_started} and guard.send({{'start_within': None}}); time.sleep(3)"
    )
    with subprocess.Popen([sys.executable, "-c", script], cwd=ROOT) as process:
        assert process.wait(30) == code


def test_warden_that_was_frozen_past_the_time_for_the_start_ends_nothing(file: Path) -> None:
    """It hears of the start when it is thawed, after the time is up."""
    script = (
        "import json, sys, time; from scheduler_app.processes.guard import Guard; "
        "guard = Guard(600); guard.start(); guard.send({'start_within': 3}); "
        "guard.send(json.loads(sys.argv[1])); print(guard.pid, flush=True); input(); "
        "guard.send({'start_within': None}); time.sleep(7)"
    )
    message = json.dumps({"beat": order(file) | {"every": 600}, "after": 0.0})
    with subprocess.Popen(
        [sys.executable, "-c", script, message],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        warden = int(process.stdout.readline())
        eventually(lambda: beats(file))  # it has read both messages
        os.kill(warden, signal.SIGSTOP)
        process.stdin.write(b"\n")
        process.stdin.flush()
        time.sleep(4)
        os.kill(warden, signal.SIGCONT)
        assert process.wait(30) == 0


def test_message_that_a_frozen_warden_does_not_take_is_reported(guard: Guard) -> None:
    assert guard.pid is not None
    os.kill(guard.pid, signal.SIGSTOP)
    long = {"beat": None, "filler": "x" * 4_000}
    assert guard.send(long)
    eventually(lambda: not guard.send(long))
    os.kill(guard.pid, signal.SIGCONT)
    eventually(lambda: guard.send(long))


def test_warden_ends_with_its_scheduler() -> None:
    script = (
        "import os; from scheduler_app.processes.guard import Guard; "
        "guard = Guard(600); guard.start(); print(guard.pid, flush=True); os._exit(0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, check=True, text=True
    )
    eventually(lambda: not is_alive(int(done.stdout)))


FORKING = """
import os, signal, time
from scheduler_app.processes.guard import Guard
signal.signal(signal.SIGTERM, lambda *_: None)
guard = Guard(end_within=0.5)
guard.start()
guard.follow_signals()
child = os.fork()
if not child:
    time.sleep(60)
    os._exit(0)
time.sleep(0.5)
os.kill(child, signal.SIGTERM)
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
time.sleep(3)
print("child", status, flush=True)
os._exit(0)
"""


def test_signal_to_a_forked_process_concerns_it_alone() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKING], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "child -15\n")
