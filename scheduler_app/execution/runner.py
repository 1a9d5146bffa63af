"""Carries one run out: calls the job's function and turns whatever happens into an outcome.

Nothing that a job is, returns, raises or leaves behind gets past this boundary: from the end of the
function to its outcome each step has a simpler fallback."""

import os
import time
from collections.abc import Awaitable, Callable, Sequence
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from datetime import timedelta
from types import AsyncGeneratorType, GeneratorType
from typing import Any

from scheduler_app.execution import connections, coroutines, thread_state
from scheduler_app.execution.describe import (
    MESSAGE_LIMIT,
    describe,
    format_traceback,
    is_clean_exit,
)
from scheduler_app.metadata import mapping, storable_metadata, stored_progress
from scheduler_app.models import JobRun, RunState, clock
from scheduler_app.registry import JobContext, JobDefinition
from scheduler_app.text import storable


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call of a job's function ended."""

    state: RunState
    message: str = ""
    traceback: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)


def carry_out(run: JobRun, context: JobContext, perform: Callable[[], Outcome]) -> None:
    """Have the function called by `perform`, and set the run's moments and outcome."""
    run.started_at = clock.now()
    began = time.monotonic()
    try:
        outcome = perform()
    except BaseException as error:  # raised in this thread by other code
        outcome = failure(error, context)
    run.finished_at = run.started_at + timedelta(seconds=time.monotonic() - began)
    run.state, run.message = outcome.state, outcome.message
    run.traceback, run.metadata = outcome.traceback, outcome.metadata
    run.progress = stored_progress(context.last_progress)
    if context.cancel_reason and (context.cancel_seen or run.state == RunState.CANCELLED):
        run.state = RunState.CANCELLED
        why = "\n".join([context.cancel_reason, outcome.message]).strip()
        run.message = storable(why, MESSAGE_LIMIT)


def execute(definition: JobDefinition, context: JobContext) -> Outcome:
    """Call the function. Whatever comes of it, an exit, a broken exception or a transaction left
    open included, is an outcome. Never raises, and returns in this process alone."""
    # In a context of its own: a language or zone that it activates does not reach the next run.
    own = copy_context()
    left_by_threads = own.run(connections.watch_threads)
    return _without_open_transaction(own.run(outcome_of, definition, context), left_by_threads)


def outcome_of(definition: JobDefinition, context: JobContext) -> Outcome:
    """Call the function as execute() does, in this context and with the connections as they are."""
    process = os.getpid()
    try:
        result = _call(definition, context)
        _end_copy(process, 0)
        return _success(context, result)
    except BaseException as error:
        _end_copy(process, _exit_code(error))
        outcome = _success(context, None) if is_clean_exit(error) else failure(error, context)
        if outcome.state == RunState.FAILED:
            context.error = error
        return outcome


def run_job(name: str) -> None:
    """Raise TypeError. Timetable rows refer to this function, but only the tick hands runs over."""
    raise TypeError(f"{name} is run by `manage.py runscheduler` alone.")


def failure(error: BaseException, context: JobContext) -> Outcome:
    """Return the outcome of a run that this exception has ended. Never raises."""
    return Outcome(
        RunState.FAILED,
        message=describe(error),
        traceback=format_traceback(error),
        metadata=storable_metadata(context.reported),
    )


def _success(context: JobContext, result: object) -> Outcome:
    if result is None and type(context.reported) is dict and not context.reported:
        return Outcome(RunState.SUCCESS)
    metadata = {**mapping(context.reported), **mapping(result)}
    return Outcome(RunState.SUCCESS, metadata=storable_metadata(metadata))


def _without_open_transaction(outcome: Outcome, left_by_threads: Sequence[str]) -> Outcome:
    """Discard the connections. What was written in a transaction that is still open is lost: a run
    that wrote it has failed, or whose threads have left it so at their end."""
    fault = connections.discard() if thread_state.has_values() else ""
    if not (fault or left_by_threads):
        return outcome
    message = "\n".join([outcome.message, fault, *left_by_threads]).strip()
    message = storable(message, MESSAGE_LIMIT)
    return replace(outcome, state=RunState.FAILED, message=message)


def _end_copy(process: int, code: int) -> None:
    """End a process that the job has forked and that has come back from its function: it is a copy
    of this one, and would carry out the same runs."""
    if os.getpid() != process:
        os._exit(code)


def _exit_code(error: BaseException) -> int:
    if is_clean_exit(error):
        return 0
    code = error.code if type(error) is SystemExit else 1
    return code & 0xFF if type(code) is int else 1


def _call(definition: JobDefinition, context: JobContext) -> Any:
    arguments = (context,) if definition.takes_context else ()
    result = definition.function(*arguments, **context.arguments)
    kind = type(result)  # isinstance() asks the object itself, which may raise
    if issubclass(kind, GeneratorType | AsyncGeneratorType):
        raise TypeError("The job returned a generator: none of its body has run.")
    if issubclass(kind, Awaitable):
        return coroutines.run(result)
    return result
