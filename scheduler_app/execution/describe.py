"""What an exception says, as text that any database takes. The exception is the job's own object:
its text, its notes and even its type's name may raise, so each text has simpler fallbacks."""

import traceback
from collections.abc import Callable

from scheduler_app.text import storable

MESSAGE_LIMIT = 10_000
TRACEBACK_LIMIT = 65_536
UNREADABLE = "The job raised an exception whose text cannot be read."


def describe(error: BaseException) -> str:
    """Return the error's type and text, as the last line of a traceback has them. Never raises."""
    return _first(
        lambda: storable(_whole(error), MESSAGE_LIMIT),
        lambda: storable(type(error).__name__, MESSAGE_LIMIT),
        lambda: storable(type.__getattribute__(type(error), "__name__"), MESSAGE_LIMIT),
    )


def format_traceback(error: BaseException) -> str:
    """Return the error's traceback with those of its causes; what can be had of it. Never
    raises."""
    return _first(
        lambda: storable("".join(traceback.format_exception(error)), TRACEBACK_LIMIT),
        lambda: storable(_without_causes(error), TRACEBACK_LIMIT),
        lambda: storable("".join(traceback.format_tb(error.__traceback__)), TRACEBACK_LIMIT),
    )


def is_clean_exit(error: BaseException) -> bool:
    """Return whether this is what `sys.exit()` raises to end a program successfully. Never
    raises."""
    try:
        return issubclass(type(error), SystemExit) and _is_zero(error.code)  # type: ignore[attr-defined]
    except BaseException:
        return False


def _is_zero(code: object) -> bool:
    return code is None or (issubclass(type(code), int) and int.__index__(code) == 0)  # type: ignore[arg-type]


def _whole(error: BaseException) -> str:
    text = "".join(traceback.format_exception_only(error)).strip()
    return f"The job called sys.exit: {text}" if issubclass(type(error), SystemExit) else text


def _without_causes(error: BaseException) -> str:
    return "".join([*traceback.format_tb(error.__traceback__), describe(error)])


def _first(*attempts: Callable[[], str]) -> str:
    for attempt in attempts:
        try:
            return attempt()
        except BaseException:  # noqa: S112  # KeyboardInterrupt and MemoryError too
            continue
    return UNREADABLE
