"""Async jobs: their synchronous parts belong to the run's thread; what they leave ends."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group
from django.db import connection, connections, transaction

from scheduler_app.execution import coroutines


def run(function: Callable[[], Awaitable[Any]]) -> Any:
    """Run it in a thread of its own, as the scheduler does."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: coroutines.run(function())).result(30)


def test_synchronous_part_belongs_to_the_run_s_thread() -> None:
    def threads() -> tuple[int, int]:
        async def part() -> int:
            return await sync_to_async(threading.get_ident)()

        return threading.get_ident(), coroutines.run(part())

    with ThreadPoolExecutor(1) as pool:
        own, part_s = pool.submit(threads).result(30)
    assert own == part_s


def test_async_jobs_do_not_wait_for_one_another() -> None:
    meeting = threading.Barrier(3, timeout=20)

    async def meet() -> int:
        return await sync_to_async(meeting.wait)()

    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(lambda: coroutines.run(meet())) for _ in range(3)]
        assert sorted(future.result(30) for future in waiting) == [0, 1, 2]


def test_task_that_is_left_is_cancelled() -> None:
    ended = []

    async def wait() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    async def leave() -> None:
        asyncio.create_task(wait())  # noqa: RUF006
        await asyncio.sleep(0)

    run(leave)
    assert ended == ["cancelled"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_task_that_refuses_to_end_does_not_hold_the_run_up() -> None:
    async def refuse() -> None:
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                continue

    async def leave() -> str:
        asyncio.create_task(refuse())  # noqa: RUF006
        await asyncio.sleep(0)
        return "returned"

    began = time.monotonic()
    assert run(leave) == "returned"
    assert time.monotonic() - began < 30


def test_function_left_in_a_thread_does_not_hold_the_run_up() -> None:
    release = threading.Event()

    async def leave() -> str:
        asyncio.create_task(asyncio.to_thread(release.wait, 60))  # noqa: RUF006
        await asyncio.sleep(0.01)
        return "returned"

    assert run(leave) == "returned"
    release.set()


@pytest.mark.django_db(transaction=True)
def test_connection_of_a_function_in_a_thread_is_closed() -> None:
    used = []

    def count() -> None:
        Group.objects.count()
        used.append(connections["default"])

    async def work() -> None:
        await asyncio.to_thread(count)

    run(work)
    (left,) = used
    assert left.connection is None


@pytest.mark.django_db(transaction=True)
def test_transaction_left_open_in_a_thread_fails_the_job() -> None:
    def begin() -> None:
        transaction.atomic().__enter__()
        Group.objects.create(name="lost")

    async def work() -> None:
        await asyncio.to_thread(begin)

    with pytest.raises(coroutines.LeftOpen, match="left a transaction open"):
        run(work)
    assert not Group.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_async_query_uses_the_run_s_connection() -> None:
    def work() -> bool:
        async def query() -> int:
            return await Group.objects.acount()

        coroutines.run(query())
        used = connection.connection is not None
        connection.close()
        return used

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(work).result(30)
