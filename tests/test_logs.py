"""Logging in the engine's threads."""

import logging

import pytest

from scheduler_app.logs import SafeLogger


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
