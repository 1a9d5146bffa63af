"""What the command line prints."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from scheduler_app.rpc.wire import RUN_STATE, Values
from scheduler_app.text import first_line, length, printable

CLEAR_LINE = "\r\033[K"


class Stream(Protocol):
    """Standard output or error, of Python or of Django."""

    def write(self, text: str, /) -> object: ...

    def flush(self) -> None: ...

    def isatty(self) -> bool: ...


class Output:
    """Writes lines, tables and objects. Whatever people or jobs have written is printed with what
    would control a terminal escaped."""

    def __init__(self, out: Stream | None = None, err: Stream | None = None) -> None:
        self._out, self._err = out or sys.stdout, err or sys.stderr

    @property
    def is_terminal(self) -> bool:
        return self._out.isatty()

    def line(self, text: str = "") -> None:
        self._out.write(f"{text}\n")

    def lines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.line(line)

    def note(self, text: str) -> None:
        """Write a line about the answer, not of it, to standard error."""
        if text:
            self._err.write(f"{printable(text)}\n")

    def progress(self, text: str) -> None:
        """Show a line in the place of the last one, on a terminal alone."""
        if sys.stderr.isatty():
            sys.stderr.write(f"{CLEAR_LINE}{text}")
            sys.stderr.flush()

    def json(self, values: Values) -> None:
        """Write one object on one line: moments in ISO 8601 and UTC, lengths of time in seconds."""
        self.line(json.dumps(values, default=_plain))

    def table(self, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Write the rows in columns as wide as they need; the last one ends where it ends."""
        lines = [list(header), *([printable(cell) for cell in row] for row in rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        for line in lines:
            cells = (f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True))
            self.line("  ".join(cells).rstrip())

    def fields(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Write these names and values below each other, but those without a value."""
        shown = [(name, value) for name, value in pairs if value]
        width = max((len(name) for name, _ in shown), default=0) + 1
        for name, value in shown:
            self.line(f"{name + ':':<{width}}  {printable(value)}")

    def flush(self) -> None:
        self._out.flush()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return value.total_seconds()
    return str(value)


def at(moment: datetime | None, missing: str = "-") -> str:
    """Return a moment on the clock of this machine."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}" if moment else missing


def at_ms(ms: int, missing: str = "-") -> str:
    """Return a moment of the seed's messages, in milliseconds."""
    return at(datetime.fromtimestamp(ms / 1000).astimezone() if ms > 0 else None, missing)


def state(run: Values) -> str:
    """Return the state of a run as one word."""
    return str(run["state"]).removeprefix(RUN_STATE).lower()


def took(span: timedelta | None, missing: str = "-") -> str:
    return length(span) if span is not None else missing


def run_row(run: Values) -> tuple[str, ...]:
    """Return the cells of a run below RUN_HEADER."""
    return (
        str(run["run_id"]),
        run["job_name"],
        state(run),
        at(run["schedule_time"]),
        at(run["start_time"]),
        took(run["duration"]),
        first_line(run["message"]),
    )


RUN_HEADER = ("RUN", "JOB", "RESULT", "SCHEDULED FOR", "STARTED", "TOOK", "MESSAGE")
