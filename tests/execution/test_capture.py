"""What is logged and printed in a run's context is kept with it, and goes on its way."""

import asyncio
import contextlib
import io
import logging
import re
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from scheduler_app.execution import capture
from scheduler_app.execution.bounded_log import RunLog

logger = logging.getLogger("app.module")


@pytest.fixture(autouse=True)
def _uninstalled() -> Iterator[None]:
    """Each test installs by itself: pytest has streams of its own for fixtures."""
    yield
    capture.uninstall()


@pytest.fixture
def log() -> RunLog:
    return RunLog(10_000)


def test_logged_line_has_time_level_and_logger(log: RunLog) -> None:
    capture.install()
    with capture.capture(log):
        logger.warning("text %d", 1)
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} WARNING app\.module: text 1\n", log.text()
    )


def test_traceback_is_kept(log: RunLog) -> None:
    capture.install()
    with capture.capture(log):
        try:
            raise ValueError("no such record")
        except ValueError:
            logger.exception("failed")
    assert "ERROR app.module: failed\nTraceback (most recent call last):\n" in log.text()
    assert log.text().endswith("\nValueError: no such record\n")


def test_printed_text_is_kept_and_goes_on(log: RunLog, capsys: pytest.CaptureFixture[str]) -> None:
    capture.install()
    with capture.capture(log):
        print("out")
        print("error", file=sys.stderr)
        sys.stdout.writelines(["a\n", "b\n"])
    capture.uninstall()
    assert log.text() == "out\nerror\na\nb\n"
    assert capsys.readouterr() == ("out\na\nb\n", "error\n")


def test_nothing_is_kept_outside_of_a_run(log: RunLog) -> None:
    capture.install()
    with capture.capture(log):
        pass
    print("out")
    logger.warning("text")
    assert log.text() == ""


def test_each_thread_has_the_log_of_its_run() -> None:
    capture.install()
    logs = [RunLog(1_000) for _ in range(4)]
    together = threading.Barrier(4)

    def run(number: int) -> None:
        with capture.capture(logs[number]):
            for _ in range(10):
                together.wait(30)
                print(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [log.text() for log in logs] == [f"{number}\n" * 10 for number in range(4)]


def test_tasks_and_threads_of_asyncio_have_the_log_of_their_run(log: RunLog) -> None:
    capture.install()

    async def run() -> None:
        await asyncio.gather(asyncio.create_task(say("task")), asyncio.to_thread(print, "thread"))

    async def say(text: str) -> None:
        print(text)

    with capture.capture(log):
        asyncio.run(run())
    assert sorted(log.text().split()) == ["task", "thread"]


def test_what_is_installed_twice_keeps_a_line_once(log: RunLog) -> None:
    capture.install()
    with capture.capture(log):
        print("out")
        logger.warning("text")
    assert len(log.text().splitlines()) == 2
    capture.uninstall()
    with capture.capture(log):
        print("out")
        logger.warning("text")
    assert len(log.text().splitlines()) == 2


def test_process_of_one_run_keeps_everything(log: RunLog) -> None:
    capture.install(everything=log)
    thread = threading.Thread(target=print, args=("thread",))
    thread.start()
    thread.join()
    with capture.capture(None):
        print("muted")
    assert log.text() == "thread\n"


def test_stream_that_was_replaced_meanwhile_stays() -> None:
    capture.install()
    replacement = io.StringIO()
    with contextlib.redirect_stdout(replacement):
        capture.uninstall()
        print("text")
    assert replacement.getvalue() == "text\n"


def test_stream_is_otherwise_the_original(capsys: pytest.CaptureFixture[str]) -> None:
    original = sys.stdout
    capture.install()
    assert sys.stdout.encoding == original.encoding
    assert sys.stdout.isatty() is original.isatty()


def test_log_call_with_wrong_arguments_does_not_raise(
    log: RunLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    capture.install()
    monkeypatch.setattr(logging, "raiseExceptions", False)
    record = logging.makeLogRecord({"msg": "%d", "args": ("a",), "levelno": logging.INFO})
    with capture.capture(log):
        capture._handler.handle(record)
    assert log.text() == ""


def test_without_logging_configured_warnings_go_to_stderr_and_are_kept_once() -> None:
    code = """
import logging, sys
from scheduler_app.execution import capture
from scheduler_app.execution.bounded_log import RunLog
capture.install()
log = RunLog(1000)
with capture.capture(log):
    logging.getLogger("app").warning("careful")
    logging.getLogger("app").info("by the way")
print(len(log.text().splitlines()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("1\n", "careful\n")
