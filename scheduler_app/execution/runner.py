"""Carries one run out: calls the job's function and turns whatever happens into an outcome."""

import asyncio
import inspect
import json
import logging
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from scheduler_app.models import JobRun, RunState, clock, database
from scheduler_app.registry import JobContext, JobDefinition
from scheduler_app.text import storable

logger = logging.getLogger(__name__)

MESSAGE_LIMIT = 10_000
TRACEBACK_LIMIT = 65_536
METADATA_LIMIT = 65_536


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
    outcome = perform()
    run.finished_at = run.started_at + timedelta(seconds=time.monotonic() - began)
    run.state, run.message = outcome.state, outcome.message
    run.traceback, run.metadata = outcome.traceback, outcome.metadata
    if context.cancel_reason and (context.cancel_seen or run.state == RunState.CANCELLED):
        run.state = RunState.CANCELLED
        why = "\n".join([context.cancel_reason, outcome.message]).strip()
        run.message = storable(why, MESSAGE_LIMIT)


def execute(definition: JobDefinition, context: JobContext) -> Outcome:
    """Call the function. Whatever it raises, sys.exit included, is an outcome."""
    database.close_old_connections()
    try:
        # In a context of its own: the language or zone that it activates is not its successor's.
        result = copy_context().run(_call, definition, context)
        metadata = context.reported | _mapping(result)
        return Outcome(RunState.SUCCESS, metadata=storable_metadata(metadata))
    except BaseException as error:
        logger.warning(
            "job %s failed in run %d",
            definition.name,
            context.run_id,
            exc_info=True,
            extra={"job": definition.name, "run": context.run_id},
        )
        return Outcome(
            RunState.FAILED,
            message=storable(describe(error), MESSAGE_LIMIT),
            traceback=storable("".join(traceback.format_exception(error)), TRACEBACK_LIMIT),
            metadata=storable_metadata(context.reported),
        )
    finally:
        database.close_old_connections()


def run_job(name: str) -> None:
    """What a timetable row refers to. Runs are handed over by the tick, never through it."""
    raise TypeError(f"{name} is run by `manage.py runscheduler` alone.")


def describe(error: BaseException) -> str:
    """The error's type and text, as the last line of a traceback has them."""
    text = "".join(traceback.format_exception_only(error)).strip()
    return f"The job called sys.exit: {text}" if isinstance(error, SystemExit) else text


def storable_metadata(values: Mapping[Any, Any]) -> dict[str, Any]:
    """The values as JSON; what JSON lacks becomes text. Too much of it becomes a note."""
    if not values:
        return {}
    try:
        text = json.dumps({str(key): value for key, value in values.items()}, default=str)
        text = json.dumps(json.loads(text, parse_constant=str))
    except Exception as error:  # the values are the job's own objects
        return {"metadata_error": storable(f"not storable: {error}", MESSAGE_LIMIT)}
    if len(text) > METADATA_LIMIT:
        return {"metadata_error": f"{len(text):,} characters of JSON; {METADATA_LIMIT:,} are kept"}
    cleaned: dict[str, Any] = _clean(json.loads(text))
    return cleaned


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value, METADATA_LIMIT)
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    return value


def _call(definition: JobDefinition, context: JobContext) -> Any:
    arguments = (context,) if definition.takes_context else ()
    result = definition.function(*arguments)
    if inspect.isgenerator(result) or inspect.isasyncgen(result):
        raise TypeError("The job returned a generator: none of its body has run.")
    return asyncio.run(_awaited(result)) if inspect.isawaitable(result) else result


async def _awaited(result: Awaitable[Any]) -> Any:
    return await result


def _mapping(result: Any) -> dict[Any, Any]:
    return dict(result) if isinstance(result, Mapping) else {}
