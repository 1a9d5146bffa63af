"""What a run logs and prints, kept with the run, beside where it goes anyway.

A record is a run's if it is made in the run's context: in the thread that carries the run out, or
in an asyncio task that it has started. Not seen are: records of loggers that do not propagate (or
of a level that the logging configuration drops), output of threads that the job starts (unless the
process carries out one run only), what programs that it starts write by themselves, and bytes
written to `sys.stdout.buffer`."""

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
RUNNER = "scheduler_app.execution.runner"
"""Its line about a failed job is for the scheduler's log; the run has the traceback of its own."""


class Sink(Protocol):
    """Where a run's output is kept."""

    def write(self, text: str) -> object: ...


_sink: ContextVar[Sink | None] = ContextVar("scheduler_run_log")
_everything: Sink | None = None
_installing = threading.Lock()


@contextmanager
def capture(log: Sink | None) -> Iterator[None]:
    """Keep in `log` what is logged and printed in this context; with None, keep it nowhere."""
    token = _sink.set(log)
    try:
        yield
    finally:
        _sink.reset(token)


def install(everything: Sink | None = None) -> None:
    """Begin to look at what this process logs and prints. To be called after logging is
    configured; calling it again does no harm.

    `everything` takes, in a process that carries out one run only, what comes from outside of any
    context too."""
    global _everything
    with _installing:
        _everything = everything
        logging.getLogger().addHandler(_handler)  # at most once, says its contract
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if stream is not None and not isinstance(stream, _Tee):
                setattr(sys, name, _Tee(stream))


def uninstall() -> None:
    """End what install() has begun. A stream that somebody has replaced meanwhile stays."""
    global _everything
    with _installing:
        _everything = None
        logging.getLogger().removeHandler(_handler)
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if isinstance(stream, _Tee):
                setattr(sys, name, stream.original)


def _keep(text: str) -> None:
    sink = _sink.get(_everything)
    if sink is not None and text:
        sink.write(text)


class _Tee:
    """A text stream that is written to as before, and into the log of the run whose context it
    is."""

    def __init__(self, original: Any) -> None:
        self.original = original

    def write(self, text: str) -> Any:
        _keep(text)
        return self.original.write(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original, name)


class _Handler(logging.Handler):
    """On the root logger. Without any other handler, a warning goes to stderr as it would if this
    one were not there."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if record.name != RUNNER and _sink.get(_everything) is not None:
                _keep(self.format(record) + "\n")
            self._stand_in(record)
        except Exception:
            self.handleError(record)

    def _stand_in(self, record: logging.LogRecord) -> None:
        last = logging.lastResort
        if last and record.levelno >= last.level and not _is_handled_elsewhere(record.name):
            with capture(None):  # it writes to sys.stderr, and the line is kept already
                last.handle(record)


def _is_handled_elsewhere(name: str) -> bool:
    logger: logging.Logger | None = logging.getLogger(name)
    while logger is not None:
        if any(handler is not _handler for handler in logger.handlers):
            return True
        logger = logger.parent
    return False


_handler = _Handler()
_handler.setFormatter(logging.Formatter(FORMAT))
