"""Logging in the engine's threads."""

import logging
import os
import threading
from collections.abc import Iterator

import pytest

from scheduler_app import logs
from scheduler_app.logs import LogWriter, SafeLogger


class Broken(logging.Handler):
    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def emit(self, record: logging.LogRecord) -> None:
        raise self.error


@pytest.mark.parametrize("error", [ConnectionError("away"), KeyboardInterrupt(), SystemExit(1)])
def test_handler_that_raises_is_survived_and_shown(
    error: BaseException, capsys: pytest.CaptureFixture[str]
) -> None:
    logger, broken = logging.getLogger("tests.broken"), Broken(error)
    logger.addHandler(broken)
    try:
        SafeLogger("tests.broken").error("it failed: %s", "why")
    finally:
        logger.removeHandler(broken)
    shown = capsys.readouterr().err
    assert "could not log 'it failed: %s'" in shown
    assert type(error).__name__ in shown


def test_record_names_the_line_that_logged(caplog: pytest.LogCaptureFixture) -> None:
    logger = SafeLogger("tests.lines")
    logger.warning("here")
    try:
        raise ValueError("no")
    except ValueError:
        logger.exception("there")
    assert [(r.filename, r.funcName, bool(r.exc_info)) for r in caplog.records] == [
        ("test_logs.py", "test_record_names_the_line_that_logged", False),
        ("test_logs.py", "test_record_names_the_line_that_logged", True),
    ]


def test_record_has_the_call_s_fields(caplog: pytest.LogCaptureFixture) -> None:
    SafeLogger("tests.fields").warning("here", extra={"job": "nightly"})
    assert caplog.records[0].__dict__["job"] == "nightly"


class Hanging(logging.Handler):
    """Does not return before it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.is_in = threading.Event()
        self.released = threading.Event()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.is_in.set()
        assert self.released.wait(30)
        self.texts.append(record.getMessage())


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    handler = Hanging()
    logging.getLogger("tests.hanging").addHandler(handler)
    yield handler
    handler.released.set()
    logging.getLogger("tests.hanging").removeHandler(handler)


@pytest.fixture
def writer(monkeypatch: pytest.MonkeyPatch) -> LogWriter:
    writer = LogWriter()
    monkeypatch.setattr(logs, "writer", writer)
    return writer


def test_handler_that_hangs_holds_up_no_caller(hanging: Hanging, writer: LogWriter) -> None:
    logger = SafeLogger("tests.hanging")
    writer.start()
    logger.warning("one")
    assert hanging.is_in.wait(10)
    logger.warning("two")
    assert writer.hangs_for > 0
    writer.stop(0.01)
    logger.warning("three")
    assert hanging.texts == []
    hanging.released.set()
    writer.flush(30)
    assert hanging.texts == ["one", "two", "three"]
    assert writer.hangs_for == 0


def test_writer_ends_with_its_last_user(hanging: Hanging, writer: LogWriter) -> None:
    hanging.released.set()
    writer.start()
    writer.start()
    thread = writer.thread
    assert thread
    writer.stop(30)
    assert thread.is_alive()
    SafeLogger("tests.hanging").warning("one")
    writer.stop(30)
    assert not thread.is_alive()
    SafeLogger("tests.hanging").warning("two")
    assert hanging.texts == ["one", "two"]


def test_records_beyond_the_limit_are_counted(
    hanging: Hanging,
    writer: LogWriter,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(logs, "LIMIT", 2)
    logger = SafeLogger("tests.hanging")
    writer.start()
    logger.warning("one")
    assert hanging.is_in.wait(10)
    for text in ("two", "three", "four", "five"):
        logger.warning(text)
    hanging.released.set()
    writer.stop(30)
    assert hanging.texts == ["one", "two", "three"]
    assert "log handlers were too slow: 2 records are left out" in caplog.messages


def test_writer_outlasts_what_handlers_raise(
    writer: LogWriter, capsys: pytest.CaptureFixture[str]
) -> None:
    logger, broken = logging.getLogger("tests.broken"), Broken(SystemExit(1))
    logger.addHandler(broken)
    writer.start()
    try:
        for text in ("one", "two"):
            SafeLogger("tests.broken").error(text)
        writer.stop(30)
    finally:
        logger.removeHandler(broken)
    shown = capsys.readouterr().err
    assert "could not log 'one'" in shown
    assert "could not log 'two'" in shown


def test_forked_child_logs_without_the_thread(hanging: Hanging, writer: LogWriter) -> None:
    hanging.released.set()
    writer.start()
    child = os.fork()
    if child == 0:
        SafeLogger("tests.hanging").warning("from the child")
        os._exit(0 if hanging.texts == ["from the child"] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    writer.stop(30)


def test_writer_whose_thread_cannot_start_writes_at_once(
    hanging: Hanging, writer: LogWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging.released.set()

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as limited:
        limited.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            writer.start()
    SafeLogger("tests.hanging").warning("one")
    assert hanging.texts == ["one"]
    writer.start()
    assert writer.thread
    writer.stop(30)
    assert writer.thread is None
