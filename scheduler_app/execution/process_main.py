"""The work of a worker process: carry out one run, and report it to the scheduler.

The process receives one message that describes the run, and perhaps a later one that cancels it. It
sends logs and reports as they come, so that they survive if it is killed, and the outcome at the
end."""

import logging
import os
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db import DatabaseError, InterfaceError, connections

from scheduler_app import added
from scheduler_app.execution import capture
from scheduler_app.execution.describe import describe
from scheduler_app.execution.runner import Outcome, execute
from scheduler_app.metadata import Progress, storable_metadata
from scheduler_app.models import RunState
from scheduler_app.processes.protocol import Channel, Message
from scheduler_app.registry import JobContext, registry

BURST = 10
"""How many reports in quick succession are sent one by one; those that follow are gathered."""
GATHER = 0.1
"""How long, in seconds, reports are gathered."""


def request(context: JobContext) -> Message:
    """Return the message that describes the run."""
    return {
        "job_name": context.job_name,
        "run_id": context.run_id,
        "scheduled_for": context.scheduled_for.isoformat(),
        "attempt": context.attempt,
        "arguments": dict(context.arguments),
    }


def outcome(message: Message) -> Outcome:
    """Return the outcome that a worker has sent."""
    return Outcome(**message | {"state": RunState(message["state"])})


def serve(channel: Channel, output: int) -> None:
    """Do all the work of the process."""
    messages = channel.receive()
    if not messages:
        return  # the scheduler no longer waits for this run
    context = _context(messages[0], channel)
    _heed(messages[1:], context)
    threading.Thread(
        target=_listen, args=(channel, context), name="scheduler-cancel", daemon=True
    ).start()
    _redirect(output)
    capture.install(everything=_Log(output))
    ended = asdict(_execute(context))
    if context.last_progress:
        channel.send({"progress": context.last_progress})
    channel.send({"outcome": ended})
    connections.close_all()


@dataclass(slots=True)
class _Log:
    """Where all that is logged and printed goes; in one pipe, so that it stays in order."""

    output: int

    def write(self, text: str) -> None:
        data = text.encode("utf-8", "replace")
        while data:
            data = data[os.write(self.output, data) :]


def _redirect(output: int) -> None:
    """Send what C libraries, programs and other processes of this run write to descriptors 1 and 2
    to the run's log. What this interpreter writes still goes where they led before."""
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        stream: Any = getattr(sys, name)
        if stream is not None:
            with suppress(OSError, ValueError):  # its reader may have gone, its disk be full
                stream.flush()
            moved = open(  # noqa: SIM115  # it lives as long as the process
                os.dup(descriptor), "w", buffering=1, encoding=stream.encoding, errors=stream.errors
            )
            _move_handlers(stream, moved)
            setattr(sys, name, moved)
        os.dup2(output, descriptor)


def _move_handlers(stream: Any, moved: Any) -> None:
    """Have handlers of this stream write where it led before: the run's log has the records
    already."""
    loggers = [logging.root, *logging.root.manager.loggerDict.values()]
    for logger in loggers:
        for handler in getattr(logger, "handlers", []):
            if isinstance(handler, logging.StreamHandler) and handler.stream is stream:
                handler.setStream(moved)


class _Reports:
    """Sends what is reported: immediately while it is little, gathered while it is much."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._lock = threading.Lock()
        self._gathered: dict[str, Any] = {}
        self._progress: Progress | None = None
        self._is_gathering = False
        self._credit = float(BURST)
        self._credited_at = time.monotonic()

    def add(self, values: dict[str, Any]) -> None:
        with self._lock:
            self._gathered.update(values)
            self._send_or_gather()

    def set_progress(self, progress: Progress | None) -> None:
        with self._lock:
            self._progress = progress
            self._send_or_gather()

    def _send_or_gather(self) -> None:
        """Send now, or a little later with what comes meanwhile; the lock is held."""
        if self._is_gathering:
            return
        if self._has_credit():
            self._send()
        else:
            self._is_gathering = True
            try:
                threading.Thread(target=self._send_later, daemon=True).start()
            except RuntimeError:  # the system has no room for another thread
                self._is_gathering = False
                self._send()

    def _has_credit(self) -> bool:
        now = time.monotonic()
        self._credit = min(BURST, self._credit + (now - self._credited_at) / GATHER)
        self._credited_at = now
        if self._credit < 1:
            return False
        self._credit -= 1
        return True

    def _send_later(self) -> None:
        time.sleep(GATHER)
        with self._lock:
            self._is_gathering = False
            self._send()

    def _send(self) -> None:
        gathered, self._gathered = self._gathered, {}
        progress, self._progress = self._progress, None
        if gathered:
            self._channel.send({"reported": gathered})
        if progress:
            self._channel.send({"progress": progress})


@dataclass(kw_only=True, eq=False)
class _Context(JobContext):
    """Sends what the job reports, and that it has read `cancelled` as True."""

    channel: Channel
    reports: _Reports

    @property
    def cancelled(self) -> bool:
        knew = self.cancel_seen
        is_cancelled = super().cancelled
        if self.cancel_seen and not knew:
            self.channel.send({"cancel_seen": True})
        return is_cancelled

    def report(self, **values: Any) -> None:
        copied = storable_metadata(values)
        self.reported.update(copied)
        self.reports.add(copied)

    def progress(self, done: float, total: float | None = None, text: str = "") -> None:
        super().progress(done, total, text)
        self.reports.set_progress(self.last_progress)


def _context(message: Message, channel: Channel) -> _Context:
    scheduled_for = datetime.fromisoformat(message.pop("scheduled_for"))
    reports = _Reports(channel)
    return _Context(**message, scheduled_for=scheduled_for, channel=channel, reports=reports)


def _listen(channel: Channel, context: JobContext) -> None:
    while (messages := channel.receive()) is not None:
        _heed(messages, context)


def _heed(messages: list[Message], context: JobContext) -> None:
    for message in messages:
        context.cancel_reason = message["cancel"]
        context.cancel_event.set()


def _execute(context: JobContext) -> Outcome:
    text = f"The worker process's code declares no job {context.job_name!r}."
    try:
        definition = added.find(context.job_name, registry)
    except (DatabaseError, InterfaceError) as error:
        text = f"{text} Whether people have added one is not known: {describe(error)}"
        return Outcome(RunState.FAILED, text)
    if definition is None:
        return Outcome(RunState.FAILED, text)
    return execute(definition, context)
