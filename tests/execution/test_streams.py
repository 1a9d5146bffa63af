"""Streams whose reader has gone or whose disk is full are no fault of a run."""

import errno
import io
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from scheduler_app.execution import capture
from scheduler_app.execution.bounded_log import RunLog
from scheduler_app.execution.streams import Tee


class Broken(io.StringIO):
    """A stream that fails."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def write(self, text: str) -> int:
        raise self._error

    def flush(self) -> None:
        raise self._error


@pytest.mark.parametrize(
    "error",
    [
        BrokenPipeError(errno.EPIPE, "Broken pipe"),
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EIO, "Input/output error"),
        ValueError("I/O operation on closed file"),
    ],
)
def test_stream_that_fails_keeps_the_text(error: Exception) -> None:
    kept: list[str] = []
    tee = Tee(Broken(error), kept.append)
    print("a line", file=tee, flush=True)
    tee.writelines(["b\n"])
    tee.buffer.write(b"c\xff")
    tee.close()
    assert "".join(kept) == "a line\nb\nc\N{REPLACEMENT CHARACTER}"


def test_text_that_a_terminal_cannot_show_is_kept() -> None:
    original = io.TextIOWrapper(io.BytesIO(), encoding="ascii", write_through=True)
    kept: list[str] = []
    Tee(original, kept.append).write("é\n")
    assert kept == ["é\n"]
    assert b"xe9" in original.buffer.getvalue()


def test_bytes_are_no_text() -> None:
    with pytest.raises(TypeError, match="must be str, not bytes"):
        Tee(io.StringIO(), print).write(b"x")  # type: ignore[arg-type]


def test_full_disk_is_written_to_again_once_there_is_room(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("w") as log, open("/dev/full", "w") as full:
        saved = os.dup(log.fileno())
        tee = Tee(log, lambda _: None)
        os.dup2(full.fileno(), log.fileno())
        print("lost", file=tee, flush=True)
        os.dup2(saved, log.fileno())
        print("written", file=tee, flush=True)
        os.close(saved)
    assert path.read_text() == "written\n"


CLOSED_INPUT = """
import os, subprocess, sys
from scheduler_app.execution.streams import close_input
close_input()
assert sys.stdin.read() == ""
assert os.read(0, 10) == b""
assert subprocess.run(["cat"], capture_output=True, check=True).stdout == b""
"""


@pytest.mark.parametrize("closed", ["", "<&-"])
def test_closed_input_is_empty_for_all(closed: str) -> None:
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -c '{CLOSED_INPUT}' {closed}"],
        input=b"yes\n",
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.fixture
def log() -> Any:
    yield RunLog(10_000)
    capture.uninstall()


def test_thread_that_a_run_starts_prints_into_its_log(log: RunLog) -> None:
    capture.install()

    def work() -> None:
        print("from a thread")
        nested = threading.Thread(target=print, args=("from its thread",))
        nested.start()
        nested.join()

    with capture.capture(log):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(print, "from a pool").result()
    assert log.text().splitlines() == ["from a thread", "from its thread", "from a pool"]


def test_thread_outlives_its_run_without_its_log(log: RunLog) -> None:
    capture.install()
    begin, release = threading.Event(), threading.Event()

    def work() -> None:
        begin.set()
        release.wait(30)
        print("too late")

    with capture.capture(log):
        thread = threading.Thread(target=work)
        thread.start()
    assert begin.wait(30)
    assert log.close() == ""
    release.set()
    thread.join()
    assert log.text() == ""
