"""What runs as process 1 of a container: a real one, in a namespace of its own."""

import shutil
import subprocess
import sys

import pytest

from scheduler_app.processes import init
from tests.harness.needs import missing

NAMESPACE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
CAN_UNSHARE = bool(shutil.which("unshare")) and not subprocess.call([*NAMESPACE, "true"])

ORPHANS = """
import os, subprocess, sys, time
assert os.getpid() != 1
for _ in range(3):
    subprocess.run(["sh", "-c", "sleep 0.05 &"], check=True)  # the shell ends before its child
deadline = time.monotonic() + 10
while time.monotonic() < deadline:
    states = subprocess.run(["ps", "-eo", "stat,comm"], capture_output=True, text=True).stdout
    if "sleep" not in states:
        sys.exit(7)
    time.sleep(0.05)
"""


@pytest.fixture(autouse=True)
def namespace() -> None:
    if not CAN_UNSHARE:
        missing("needs the right to make a namespace, and unshare")


def run(code: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*NAMESPACE, sys.executable, "-c", code],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def program(body: str) -> str:
    return f"from scheduler_app.processes import init; init.start_again_below()\n{body}"


def test_orphans_are_reaped_and_the_exit_code_is_kept() -> None:
    process = run(program(ORPHANS))
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 7, output


def test_signals_are_passed_on() -> None:
    body = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))
os.kill(1, signal.SIGTERM)
time.sleep(20)
"""
    process = run(program(body))
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 5, output


def test_death_by_a_signal_is_told_as_shells_do() -> None:
    process = run(program("import os; os.kill(os.getpid(), 9)"))
    process.communicate(timeout=30)
    assert process.returncode == 128 + 9


def test_other_processes_than_the_first_go_on() -> None:
    init.start_again_below()
