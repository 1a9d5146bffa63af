"""What a worker process does: carries one run out, and tells the scheduler how it goes.

It gets one message that describes the run, and later perhaps one that cancels it. It sends what
the run logs and reports as it comes, so that none of it is lost when the process is killed, and
the outcome at the end."""

import threading
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db import connections

from scheduler_app.execution import capture
from scheduler_app.execution.runner import Outcome, execute
from scheduler_app.metadata import storable_metadata
from scheduler_app.models import RunState
from scheduler_app.processes.protocol import Channel, Message
from scheduler_app.registry import JobContext, registry

PIECE = 16_384
"""How many characters of the log one message has."""


def request(context: JobContext) -> Message:
    """The message that describes the run."""
    return {
        "job_name": context.job_name,
        "run_id": context.run_id,
        "scheduled_for": context.scheduled_for.isoformat(),
        "attempt": context.attempt,
    }


def outcome(message: Message) -> Outcome:
    """The outcome that a worker has sent."""
    return Outcome(**message | {"state": RunState(message["state"])})


def serve(channel: Channel) -> None:
    """The process's whole work."""
    messages = channel.receive()
    if not messages:
        return  # nobody waits for it any more
    context = _context(messages[0], channel)
    _heed(messages[1:], context)
    threading.Thread(
        target=_listen, args=(channel, context), name="scheduler-cancel", daemon=True
    ).start()
    capture.install(everything=_Log(channel))
    channel.send({"outcome": asdict(_execute(context))})
    connections.close_all()


@dataclass(slots=True)
class _Log:
    """Sends what is logged and printed."""

    channel: Channel

    def write(self, text: str) -> None:
        for start in range(0, len(text), PIECE):
            self.channel.send({"log": text[start : start + PIECE]})


@dataclass(kw_only=True, eq=False)
class _Context(JobContext):
    """Sends what the job reports, and that it has been told to end early."""

    channel: Channel

    @property
    def cancelled(self) -> bool:
        knew = self.cancel_seen
        is_cancelled = super().cancelled
        if self.cancel_seen and not knew:
            self.channel.send({"cancel_seen": True})
        return is_cancelled

    def report(self, **values: Any) -> None:
        super().report(**values)
        self.channel.send({"reported": storable_metadata(values)})


def _context(message: Message, channel: Channel) -> _Context:
    scheduled_for = datetime.fromisoformat(message.pop("scheduled_for"))
    return _Context(**message, scheduled_for=scheduled_for, channel=channel)


def _listen(channel: Channel, context: JobContext) -> None:
    while (messages := channel.receive()) is not None:
        _heed(messages, context)


def _heed(messages: list[Message], context: JobContext) -> None:
    for message in messages:
        context.cancel_reason = message["cancel"]
        context.cancel_event.set()


def _execute(context: JobContext) -> Outcome:
    definition = registry.get(context.job_name)
    if definition is None:
        text = f"The worker process's code declares no job {context.job_name!r}."
        return Outcome(RunState.FAILED, text)
    return execute(definition, context)
