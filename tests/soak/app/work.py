"""What the jobs of the soak do. Each writes when it begins, and before it ends what outcome is
right for it."""

import os
import threading

from asgiref.sync import sync_to_async
from django.db import connection

from scheduler_app import JobContext
from tests.soak import account
from tests.soak.app import hostile as hostilities

WRITER = account.Writer(os.environ[account.VARIABLE])


def quick(context: JobContext) -> None:
    """Do nothing."""
    _write(context, "begin")
    _write(context, "ok")


def slow(context: JobContext) -> None:
    """Take more than a second."""
    _write(context, "begin")
    threading.Event().wait(1.3)
    _write(context, "ok")


def long(context: JobContext) -> None:
    """Take twelve seconds, unless told to end."""
    _write(context, "begin")
    for _ in range(60):
        if context.cancelled:
            _write(context, "any", "cancelled")
            return
        threading.Event().wait(0.2)
    _write(context, "any")


def fails(context: JobContext) -> None:
    """Fail."""
    _write(context, "begin")
    _write(context, "bad")
    raise ValueError("as it should")


def fails_first(context: JobContext) -> None:
    """Fail at the first attempt."""
    _write(context, "begin")
    if context.attempt == 1:
        _write(context, "bad")
        raise ValueError("at the first attempt")
    _write(context, "ok")


def hangs(context: JobContext) -> None:
    """Take longer than the job's timeout."""
    _write(context, "begin")
    threading.Event().wait(600)


def writes(context: JobContext) -> None:
    """Leave a row."""
    _write(context, "begin")
    _insert(context)
    _write(context, "ok")


async def writes_async(context: JobContext) -> None:
    """Leave a row, from a coroutine."""
    _write(context, "begin")
    await sync_to_async(_insert)(context)
    _write(context, "ok")


def hostile(context: JobContext) -> object:
    """Do what the soak has ordered; without an order, nothing."""
    order = hostilities.order_for(context.job_name)
    _write(context, "begin", order)
    outcome, act = hostilities.ACTS[order]
    _write(context, outcome, order)
    return act(context)


async def hostile_async(context: JobContext) -> object:
    """As `hostile`, in a coroutine."""
    order = hostilities.order_for(context.job_name)
    _write(context, "begin", order)
    outcome, act = hostilities.ASYNC_ACTS[order]
    _write(context, outcome, order)
    return await act(context)


def _insert(context: JobContext) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO soak_work (run) VALUES (%s)", [context.run_id])


def _write(context: JobContext, what: str, detail: str = "") -> None:
    WRITER.write(
        what, context.job_name, context.scheduled_for, context.attempt, context.run_id, detail
    )
