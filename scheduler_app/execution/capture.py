"""Keeps what a run logs and prints with the run; it also goes where it would go anyway.

A record is a run's if it is made in the run's context: in the thread that carries the run out, in a
thread or asyncio task that the run has started, or in a process of the run's own (there also what C
libraries and the programs that it starts write, see process_main).

Not kept are records of loggers that do not propagate, or of a level that the logging configuration
drops; and, of a job without a process of its own, what threads that the run has not started itself
(an executor that outlives runs) print, and what its programs write by themselves."""

import logging
import sys
import threading
from contextvars import ContextVar
from typing import Protocol

from scheduler_app.execution import connections
from scheduler_app.execution.streams import Tee

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class Sink(Protocol):
    """Where a run's output is kept."""

    def write(self, text: str) -> object: ...


_sink: ContextVar[Sink | None] = ContextVar("scheduler_run_log")
_everything: Sink | None = None
_installing = threading.Lock()


class capture:  # noqa: N801
    """Keep in `log` what is logged and printed in this context; with None, keep it nowhere."""

    __slots__ = ("_log", "_token")

    def __init__(self, log: Sink | None) -> None:
        self._log = log

    def __enter__(self) -> None:
        self._token = _sink.set(self._log)

    def __exit__(self, *_: object) -> None:
        _sink.reset(self._token)


def install(everything: Sink | None = None) -> None:
    """Begin to capture what this process logs and prints. Call it after logging is configured;
    calling it again does no harm.

    `everything` takes, in a process that carries out one run only, what comes from outside of any
    context too."""
    global _everything
    with _installing:
        _everything = everything
        logging.root.addHandler(_handler)  # addHandler() adds it at most once
        threading.Thread.start = _start_in_context  # type: ignore[method-assign]
        for descriptor, name in ((1, "stdout"), (2, "stderr")):
            stream = getattr(sys, name)
            if stream is not None and not isinstance(stream, Tee):
                setattr(sys, name, Tee(stream, _keep, descriptor if everything else None))


def uninstall() -> None:
    """End what install() has begun. A stream that has been replaced meanwhile stays."""
    global _everything
    with _installing:
        _everything = None
        logging.root.removeHandler(_handler)
        threading.Thread.start = _start  # type: ignore[method-assign]
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if isinstance(stream, Tee):
                setattr(sys, name, stream.original)


_start = threading.Thread.start


def _start_in_context(self: threading.Thread) -> None:
    """Start a thread; if a run starts it, its output is the run's, and what it leaves open."""
    if watched := connections.watched(self.run):
        self.run = watched  # type: ignore[method-assign]
    sink = _sink.get(None)
    if sink is not None:
        run = self.run

        def run_in_context() -> None:
            with capture(sink):
                run()

        self.run = run_in_context  # type: ignore[method-assign]
    _start(self)


def _keep(text: str) -> None:
    sink = _sink.get(_everything)
    if sink is not None and text:
        sink.write(text)


class _Handler(logging.Handler):
    """On the root logger. Without any other handler, a warning goes to stderr as it would if this
    one were not there."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if _sink.get(_everything) is not None:
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
