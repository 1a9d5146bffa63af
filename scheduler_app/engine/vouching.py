"""What a scheduler says through its warden while a job holds the interpreter's lock."""

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from scheduler_app.conf import scheduler_settings
from scheduler_app.logs import SafeLogger
from scheduler_app.models import Report, clock, database
from scheduler_app.models.heartbeat import insertion
from scheduler_app.processes.guard import Guard, Message

logger = SafeLogger(__name__)

HELD = "its process makes no progress: a job may hold the interpreter lock"
ADVICE = "Declare a job that computes for long without a pause with isolated=True."
SILENCE = 0.6
"""The warden beats after this share of a heartbeat without a message."""
PULSE = 0.1
"""How often, in heartbeats, the warden hears from this process."""
BUSY = 0.1
"""A process that used this share of a processor while it made no progress was not stopped from
outside: on a busy machine it may get no more."""
NAMED = 5
"""How many runs are named."""


class Voucher:
    """Keeps the warden informed, in a thread that does nothing else: it waits for nothing but the
    interpreter's lock, so the warden beats if, and only if, this process makes no progress.

    `running` gives the runs that threads of this process carry out, as "run 5 of nightly".
    `observe` is called in each round, with the seconds since the last one in which this process was
    not held up."""

    def __init__(
        self,
        guard: Guard,
        running: Callable[[], Sequence[str]],
        observe: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._guard = guard
        self._running = running
        self._observe = observe
        self._heartbeat = scheduler_settings().heartbeat
        self._known: tuple[int, Report] | None = None
        self._order: tuple[object, Message] | None = None
        """The last order to beat, and what it was made of."""
        self._stopped = threading.Event()
        self._has_failed = False
        self.thread = threading.Thread(target=self._loop, name="scheduler-pulse", daemon=True)

    def start(self) -> None:
        """Begin to inform the warden."""
        self.thread.start()

    def stop(self) -> None:
        """Have the warden beat no more."""
        self._stopped.set()
        self._guard.send({"beat": None})

    def vouch(self, node_id: int, report: Report) -> None:
        """Have the warden beat for this node whenever this process makes no progress."""
        self._known = node_id, report

    def _loop(self) -> None:
        before, cpu, running = time.monotonic(), time.process_time(), list[str]()
        pause = self._heartbeat * PULSE
        while not self._stopped.wait(pause):
            late, used = time.monotonic() - before - pause, time.process_time() - cpu
            before, cpu = time.monotonic(), time.process_time()
            try:
                earlier, running = running, list(self._running())
                if late > self._heartbeat:
                    self._report_standstill(late, used, {*earlier, *running})
                self._observe(pause)
                self._pulse(running)
            except BaseException as error:
                if not self._has_failed:
                    logger.warning("the warden process cannot be informed: %s", error)
                self._has_failed = True

    def _pulse(self, running: Sequence[str]) -> None:
        self._guard.start()
        if self._known is None:
            return
        made_of = self._known, running
        if self._order is None or self._order[0] != made_of:
            self._order = made_of, self._beat(*self._known, running)
        self._guard.send(self._order[1])

    def _beat(self, node_id: int, report: Report, running: Sequence[str]) -> Message:
        if not report.problem:
            names = f"; running then: {_listed(running)}. {ADVICE}" if running else ""
            report = replace(report, problem=HELD + names, problem_since=clock.now())
        order = {
            **_connection(),
            "statements": _statements(node_id, report, self._heartbeat),
            "every": self._heartbeat * SILENCE,
        }
        return {"beat": order, "after": self._heartbeat * SILENCE}

    def _report_standstill(self, seconds: float, used: float, running: set[str]) -> None:
        suspects = _listed(sorted(running)) or "none"
        if used > seconds * BUSY:
            text = "the interpreter lock was held for %.1f s; running then: %s. %s"
            logger.warning(text, seconds, suspects, ADVICE)
        else:
            logger.warning("this process stood still for %.1f s; running: %s", seconds, suspects)


def _listed(runs: Sequence[str]) -> str:
    more = f" and {len(runs) - NAMED} more" if len(runs) > NAMED else ""
    return ", ".join(runs[:NAMED]) + more


def _connection() -> Message:
    """Return how a bare driver connects as this process does: what Django passes it, without what
    cannot be sent."""
    connection: Any = database.connection()
    given = connection.get_connection_params()
    scalars = {k: v for k, v in given.items() if isinstance(v, str | int | float | None)}
    if connection.vendor == "sqlite":
        path = str(given["database"])
        scalars["database"] = path if path.startswith("file:") else os.path.abspath(path)
        scalars["timeout"] = scheduler_settings().heartbeat
    else:
        scalars.setdefault("connect_timeout", 5)
    return {"driver": connection.Database.__name__, "parameters": scalars}


def _statements(node_id: int, report: Report, patience: float) -> list[tuple[str, list[Any]]]:
    connection = database.connection()
    statement, values = insertion(node_id, report, connection)
    if connection.vendor == "sqlite":
        return [(statement.replace("%s", "?").replace("%%", "%"), values)]
    limit = f"SET LOCAL statement_timeout = {round(patience * 1000)}"
    return [(limit, []), (statement, values)]
