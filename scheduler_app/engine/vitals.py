"""Whether the engine of this process works, as follows from the progress that its parts report. The
liveness thread writes it into the heartbeats."""

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from scheduler_app.conf import scheduler_settings
from scheduler_app.execution.describe import describe
from scheduler_app.logs import writer
from scheduler_app.models.heartbeat import STOPPING
from scheduler_app.text import first_line

ROOT = str(Path(__file__).resolve().parent.parent)
LOG_PATIENCE = 60.0
"""Seconds that a log handler of the project's may take for one record: a mail server may be slow,
and no run waits for it."""
LOG_HANGS = "nothing is logged, as a log handler does not return"


def unwell_after(heartbeat: float) -> float:
    """Return for how long, in seconds, a part may make no progress and still be well. The next look
    tells others, so that they know within two heartbeats."""
    return 1.5 * heartbeat


@dataclass(slots=True)
class Part:
    """A part of the engine that must make progress, or have nothing to do."""

    failing: str
    """What is wrong, in words, if it makes none: "every claim fails"."""
    hanging: str
    """The same if it does not say why."""
    at: float
    """When it last made progress."""
    error: str = ""
    """Why it makes none, as far as it knows."""
    is_blocked: bool = False
    """Whether it waits for what another client of the database holds."""
    thread: threading.Thread | None = None

    def progressed(self, now: float) -> None:
        """Note that it works."""
        self.at, self.error, self.is_blocked = now, "", False

    def failed(self, error: BaseException, holder: str = "") -> None:
        """Note why it does not. `holder`: who holds a lock that it waits for, if that is known."""
        why = _words(error)
        self.error = f"it waits for {holder} ({why})" if holder else why
        self.is_blocked = bool(holder)

    def problem(self) -> "Problem":
        if self.error:
            return Problem(f"{self.failing}: {self.error}", self.at, self.is_blocked)
        where = _place(self.thread)
        return Problem(f"{self.hanging}{f': it is in {where}' if where else ''}", self.at)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a scheduler does not work."""

    text: str
    since: float
    """By the monotonic clock."""
    is_blocked: bool = False
    """Whether it ends with what others do, and a restart would only end runs: as soon as another
    client of the database releases a lock, or a log handler returns."""
    is_final: bool = False
    """Whether only a restart mends it."""


@dataclass(slots=True)
class Vitals:
    """Of one scheduler. Any thread may call it; it waits for nothing."""

    monotonic: Callable[[], float] = time.monotonic
    claims: Part = field(init=False)
    records: Part = field(init=False)
    starts: Part = field(init=False)
    threads: list[threading.Thread] = field(default_factory=list)
    """Those without which it cannot work."""
    probe: Callable[[], None] = lambda: None
    """Called before each judgement, so that parts with nothing to do are known to be well."""
    is_stopping: bool = False
    _died: dict[str, float] = field(default_factory=dict)
    _stopping_since: float = 0.0

    def __post_init__(self) -> None:
        now = self.monotonic()
        self.claims = Part("every claim fails", "no claim completes", now)
        self.records = Part("no outcome can be recorded", "the recorder makes no progress", now)
        self.starts = Part("runs do not begin", "runs that were handed over do not begin", now)

    def restart(self) -> None:
        """Begin: all parts have just made progress."""
        now = self.monotonic()
        for part in (self.claims, self.records, self.starts):
            part.progressed(now)

    def stop(self) -> None:
        """Note that from now on nothing is claimed, which is no fault."""
        self._stopping_since = self.monotonic()
        self.is_stopping = True

    def problem(self) -> Problem | None:
        """Return why this scheduler does not work; None if it does."""
        if self.is_stopping:
            return Problem(STOPPING, self._stopping_since)
        self.probe()
        now = self.monotonic()
        for thread in self.threads:
            if not thread.is_alive():
                since = self._died.setdefault(thread.name, now)
                return Problem(f"its thread {thread.name} has ended", since, is_final=True)
        limit = unwell_after(scheduler_settings().heartbeat)
        late = [part for part in (self.claims, self.records, self.starts) if now - part.at > limit]
        if late:
            return min(late, key=lambda part: part.at).problem()
        if (seconds := writer.hangs_for) > LOG_PATIENCE:
            return Problem(LOG_HANGS, now - seconds, is_blocked=True)
        return None


def _words(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {first_line(str(error))}"
    except BaseException:  # its text cannot be read
        return first_line(describe(error))


def _place(thread: threading.Thread | None) -> str:
    """Return where in our code a thread is, such as "claim.py:96 (claim)"."""
    frame = sys._current_frames().get(thread.ident or 0) if thread else None
    while frame and not frame.f_code.co_filename.startswith(ROOT):
        frame = frame.f_back
    if frame is None:
        return ""
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno} ({frame.f_code.co_name})"
