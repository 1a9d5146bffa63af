"""What a scheduler says through its warden while a job holds the interpreter's lock."""

import os
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

HELD = "its process does not get on: a job may hold the interpreter lock"
ADVICE = "Declare a job that computes for long without a pause with isolated=True."
SILENCE = 0.6
"""After this share of a heartbeat without a word the warden beats."""
BUSY = 0.1
"""A process that used this share of a processor while it stood still was not stopped from outside:
on a busy machine it may get no more."""
NAMED = 5
"""How many runs are named."""


class Voucher:
    """Keeps the warden informed. `running` gives the runs that threads of this process carry out,
    as "run 5 of nightly"."""

    def __init__(self, guard: Guard, running: Callable[[], Sequence[str]]) -> None:
        self._guard = guard
        self._running = running
        self._remembered: Sequence[str] = ()
        self._cpu = time.process_time()

    def vouch(self, node_id: int, report: Report) -> None:
        """Have the warden beat for this node should this process say nothing for a while."""
        try:
            self._guard.start()
        except OSError as error:
            logger.warning("the warden process cannot be started: %s", error)
            return
        if not report.problem:
            problem = f"{HELD}; running then: {_listed(self._running())}. {ADVICE}"
            report = replace(report, problem=problem, problem_since=clock.now())
        heartbeat = scheduler_settings().heartbeat
        order = {
            **_connection(),
            "statements": _statements(node_id, report, heartbeat),
            "every": heartbeat * SILENCE,
        }
        self._guard.send({"beat": order, "after": heartbeat * SILENCE})

    def remember(self) -> None:
        """Note what runs now, to be named if this process stands still afterwards."""
        self._remembered, self._cpu = self._running(), time.process_time()

    def report_standstill(self, seconds: float) -> None:
        """Say that this process did not get on for so long, and which runs may be the cause."""
        used = time.process_time() - self._cpu
        suspects = _listed(sorted({*self._remembered, *self._running()}))
        if used > seconds * BUSY:
            text = "the interpreter lock was held for %.1f s; running then: %s. %s"
            logger.warning(text, seconds, suspects, ADVICE)
        else:
            logger.warning("this process stood still for %.1f s; running: %s", seconds, suspects)


def _listed(runs: Sequence[str]) -> str:
    more = f" and {len(runs) - NAMED} more" if len(runs) > NAMED else ""
    return (", ".join(runs[:NAMED]) or "none") + more


def _connection() -> Message:
    """Return how a bare driver connects as this thread does: what Django passes it, without what
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
