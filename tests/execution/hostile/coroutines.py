"""What a coroutine may do."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Generator
from typing import Any

from tests.execution.hostile.table import FAILED, OK, hostile


@hostile(FAILED, "ValueError: no such record")
async def raises_in_a_coroutine() -> None:
    await asyncio.sleep(0)
    raise ValueError("no such record")


@hostile(FAILED, "CancelledError")
async def raises_a_cancelled_error_in_a_coroutine() -> None:
    raise asyncio.CancelledError


@hostile(FAILED, "CancelledError")
async def cancels_itself() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(60)


@hostile(FAILED, "StopIteration")
async def raises_a_stop_iteration_in_a_coroutine() -> None:
    raise StopIteration


@hostile(FAILED, "GeneratorExit")
async def raises_a_generator_exit_in_a_coroutine() -> None:
    raise GeneratorExit


@hostile(FAILED, "KeyboardInterrupt")
async def raises_a_keyboard_interrupt_in_a_coroutine() -> None:
    raise KeyboardInterrupt


@hostile(OK)
async def exits_with_zero_in_a_coroutine() -> None:
    sys.exit(0)


@hostile(FAILED, "SystemExit: 2")
async def exits_with_two_in_a_task() -> None:
    async def leave() -> None:
        sys.exit(2)

    await asyncio.create_task(leave())


@hostile(OK)
async def leaves_a_task() -> None:
    asyncio.create_task(asyncio.sleep(60))  # noqa: RUF006


@hostile(OK)
async def leaves_a_task_that_refuses_to_end() -> None:
    async def stay() -> None:
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                continue

    asyncio.create_task(stay())  # noqa: RUF006
    await asyncio.sleep(0)


@hostile(OK)
async def leaves_a_function_in_a_thread() -> None:
    asyncio.create_task(asyncio.to_thread(time.sleep, 8))  # noqa: RUF006
    await asyncio.sleep(0.01)


@hostile(OK)
async def leaves_a_generator_that_refuses_to_end() -> None:
    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            await asyncio.sleep(60)

    async for _ in numbers():
        break


@hostile(FAILED, "TypeError")
def returns_an_awaitable_that_is_none() -> Any:
    class Odd:
        def __await__(self) -> Generator[None, None, None]:
            return 7  # type: ignore[return-value]

    return Odd()


@hostile(FAILED, "Mute")
async def raises_what_has_no_text_in_a_coroutine() -> None:
    class Mute(BaseException):
        def __str__(self) -> str:
            raise KeyboardInterrupt

    raise Mute


@hostile(OK)
async def stops_its_own_loop() -> None:
    asyncio.get_running_loop().call_soon(asyncio.get_running_loop().set_debug, True)
