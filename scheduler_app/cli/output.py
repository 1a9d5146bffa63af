"""What the command line prints."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from importlib.util import find_spec
from shutil import get_terminal_size
from typing import Any, NamedTuple, Protocol

from scheduler_app.rpc.wire import RUN_STATE, Values
from scheduler_app.text import first_line, length, printable

CLEAR = "\033[2J\033[H"
CLEAR_LINE = "\r\033[K"
POLL = 0.5
"""Seconds between two looks at a run that is waited for."""
STATE_FIELDS = ("State", "Last outcome")
ENDED = frozenset(("success", "failed", "cancelled", "lost", "skipped", "missed"))
"""The states of a run that are final."""


class Stream(Protocol):
    """Standard output or error, of Python or of Django."""

    def write(self, text: str, /) -> object: ...

    def flush(self) -> None: ...

    def isatty(self) -> bool: ...


class Line(NamedTuple):
    """A line, and the state that a part of it tells."""

    text: str
    state: str = ""
    begin: int = 0
    end: int = 0


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

    @property
    def shows_progress(self) -> bool:
        return sys.stderr.isatty()

    def progress(self, text: str) -> None:
        """Show a line in the place of the last one, on a terminal alone, and as far as it is
        wide."""
        if self.shows_progress:
            self.flush()
            width = get_terminal_size().columns - 1
            sys.stderr.write(f"{CLEAR_LINE}{printable(text)[:width]}")
            sys.stderr.flush()

    def write(self, text: str) -> None:
        """Write printable text as it is."""
        self._out.write(text)

    def json(self, values: Values) -> None:
        """Write one object on one line: moments in ISO 8601 and UTC, lengths of time in seconds."""
        self.line(json.dumps(values, default=_plain))

    def objects(self, rows: Iterable[Values]) -> int:
        """Write each of these on a line; return the exit code."""
        for row in rows:
            self.json(row)
        return 0

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
            label, text = f"{name + ':':<{width}}  ", printable(value)
            state = text.partition(":")[0] if name in STATE_FIELDS else ""
            self.marked([Line(label + text, state.lower(), len(label), len(label + state))])

    def marked(self, lines: Iterable[Line]) -> None:
        """Write these lines, with their states in colour where that can be."""
        self.lines(line.text for line in lines)

    @contextmanager
    def screens(self) -> Iterator[None]:
        """Have one screen after the other written."""
        yield

    @contextmanager
    def screen(self) -> Iterator[None]:
        """Have what is written shown; on a terminal, in the place of the last one."""
        if self.is_terminal:
            self.line(CLEAR)
        yield
        self.line()
        self.flush()

    def flush(self) -> None:
        self._out.flush()


def output(
    out: Stream | None = None, err: Stream | None = None, *, in_colour: bool = True
) -> Output:
    """Return what writes to these: with colours and tables that fit, if rich is installed and it is
    a terminal, which is to be in colour."""
    if not ((out or sys.stdout).isatty() and find_spec("rich")):
        return Output(out, err)
    from scheduler_app.cli.terminal import Terminal

    return Terminal(out, err, in_colour=in_colour)


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


def pause_words(job: Values, *, since: bool = False) -> str:
    """Return "until ... by ada: deploy", as far as there is an end, a name and a reason, with the
    beginning if it is wanted; empty if the job is not paused."""
    if not job["is_paused"]:
        return ""
    begin = f"since {at_ms(job['paused_since_ms'])} " if since else ""
    end = f"until {at_ms(job['paused_until_ms'])} " if job["paused_until_ms"] else ""
    by = f"by {job['paused_by']}" if job["paused_by"] else ""
    reason = f": {job['pause_reason']}" if job["pause_reason"] else ""
    return f"{begin}{end}{by}".strip() + reason


def overrides(job: Values) -> str:
    """Return what people have set of a job, each with what its code declares."""
    told = (
        f"{name} {value!r} (code: {job['declared'].get(name, '?')!r})"
        for name, value in sorted(job["overrides"].items())
    )
    return ", ".join(told)
