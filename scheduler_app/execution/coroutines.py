"""Runs of async jobs.

The coroutine has an event loop and a thread of its own. Its synchronous parts (the ORM, a cache,
`sync_to_async`) belong to the thread that carries the run out, with its connections; so async jobs
do not wait for one another."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, ParamSpec, TypeVar

from asgiref.sync import async_to_sync

from scheduler_app.execution import connections, thread_state

P = ParamSpec("P")
T = TypeVar("T")

PATIENCE = 1.0
"""How long, in seconds, tasks and generators that a coroutine leaves may take to end."""


def run(awaitable: Awaitable[Any]) -> Any:
    """Wait for the awaitable; return its result or raise its exception. The tasks that it leaves
    are cancelled."""
    return async_to_sync(_run, force_new_loop=True)(awaitable)


async def _run(awaitable: Awaitable[Any]) -> Any:
    process = os.getpid()
    loop = asyncio.get_running_loop()
    loop.set_default_executor(_Threads())
    code = 1
    try:
        result = await awaitable
        code = 0
    finally:
        if os.getpid() != process:
            os._exit(code)  # a process that the coroutine has forked has no loop to go back to
        await _end_tasks(loop)
    return result


async def _end_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel the tasks that are left, repeatedly: one may wait when it is cancelled. The loop does
    not wait for tasks that have not ended within PATIENCE."""
    deadline = loop.time() + PATIENCE
    await asyncio.sleep(0)  # a generator that has just been dropped becomes a task here
    while tasks := asyncio.all_tasks(loop) - {asyncio.current_task(loop)}:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=PATIENCE / 10)
        if loop.time() >= deadline:
            for task in tasks:
                asyncio._unregister_task(task)
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            await loop.shutdown_asyncgens()


class _Threads(ThreadPoolExecutor):
    """The threads of `asyncio.to_thread`. What still runs in them does not hold up the run's end,
    and no connection stays open in them."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        return super().submit(partial(_call, fn, *args, **kwargs))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        super().shutdown(wait=False, cancel_futures=True)


def _call(fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    try:
        return fn(*args, **kwargs)
    finally:
        if thread_state.has_values() and (fault := connections.discard()):
            raise LeftOpen(fault)


class LeftOpen(Exception):
    """A function called in a thread has left a transaction open."""
