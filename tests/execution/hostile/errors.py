"""What a job may raise, and how it may exit."""

import asyncio
import ctypes
import sys
import threading
import time
from typing import Any, NoReturn

from tests.execution.hostile.table import ANY, FAILED, OK, hostile

STUBBORN = threading.Event()


def _raise(error: BaseException) -> NoReturn:
    raise error


@hostile(FAILED, "ValueError: no such record")
def raises() -> None:
    raise ValueError("no such record")


@hostile(FAILED, "Mute")
def raises_what_has_no_text() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    raise Mute


@hostile(FAILED, "Interrupts")
def raises_what_interrupts_when_printed() -> None:
    class Interrupts(Exception):
        def __str__(self) -> str:
            raise KeyboardInterrupt

        __repr__ = __str__

    raise Interrupts


@hostile(FAILED, "Exits")
def raises_what_exits_when_printed() -> None:
    class Exits(Exception):
        def __str__(self) -> str:
            sys.exit(0)

    raise Exits


@hostile(FAILED, "Number")
def raises_what_prints_a_number() -> None:
    class Number(Exception):
        def __str__(self) -> str:
            return 7  # type: ignore[return-value]

    raise Number


@hostile(FAILED, "Noted")
def raises_what_has_no_readable_notes() -> None:
    def refuse(_: object) -> None:
        raise RuntimeError

    raise type("Noted", (Exception,), {"__notes__": property(refuse)})


@hostile(FAILED, "ValueError: noted")
def raises_with_notes_that_are_none() -> None:
    error = ValueError("noted")
    error.__notes__ = [1, object(), None]  # type: ignore[list-item]
    raise error


@hostile(FAILED, "ValueError")
def raises_with_a_note_that_interrupts() -> None:
    class Note:
        def __str__(self) -> str:
            raise KeyboardInterrupt

    error = ValueError("noted")
    error.__notes__ = [Note()]  # type: ignore[list-item]
    raise error


@hostile(FAILED, "SyntaxError")
def raises_a_syntax_error_far_out() -> None:
    raise SyntaxError("bad", ("file.py", 1, 10**9, "x = 1", 1, -5))


@hostile(FAILED, "SyntaxError")
def raises_a_syntax_error_of_texts() -> None:
    error = SyntaxError("bad", ("file.py", 1, 1, "x"))
    error.offset = "a"  # type: ignore[assignment]
    error.lineno = object()  # type: ignore[assignment]
    raise error


@hostile(FAILED, "Nameless")
def raises_what_has_no_readable_name() -> None:
    class Meta(type):
        def __getattribute__(cls, name: str) -> Any:
            raise RuntimeError(name)

    class Nameless(Exception, metaclass=Meta):
        pass

    raise Nameless


@hostile(FAILED, "Causes")
def raises_what_has_no_readable_cause() -> None:
    class Causes(Exception):
        @property
        def __cause__(self) -> BaseException:  # type: ignore[override]
            raise RuntimeError

    raise Causes


@hostile(FAILED, "RecursionError")
def never_stops_calling_itself() -> None:
    never_stops_calling_itself()


@hostile(FAILED, "ValueError: 2999")
def raises_with_three_thousand_causes() -> None:
    error = ValueError("0")
    for number in range(1, 3_000):
        following = ValueError(str(number))
        following.__cause__ = error
        error = following
    raise error


@hostile(FAILED, "ValueError: cause")
def raises_its_own_cause() -> None:
    error, other = ValueError("cause"), KeyError("a")
    error.__cause__, other.__cause__ = other, error
    raise error


@hostile(FAILED, "ExceptionGroup")
def raises_groups_in_groups() -> None:
    error: Exception = ValueError("innermost")
    for _ in range(2_000):
        error = ExceptionGroup("group", [error])
    raise error


@hostile(FAILED, "MemoryError")
def raises_a_memory_error() -> None:
    raise MemoryError


@hostile(FAILED, "KeyboardInterrupt")
def raises_a_keyboard_interrupt() -> None:
    raise KeyboardInterrupt


@hostile(FAILED, "GeneratorExit")
def raises_a_generator_exit() -> None:
    raise GeneratorExit


@hostile(FAILED, "StopIteration")
def raises_a_stop_iteration() -> None:
    raise StopIteration(1)


@hostile(FAILED, "CancelledError")
def raises_a_cancelled_error() -> None:
    raise asyncio.CancelledError


@hostile(FAILED, "Base")
def raises_a_base_exception() -> None:
    class Base(BaseException):
        pass

    raise Base


@hostile(FAILED, "characters left out")
def raises_a_megabyte_with_nul() -> None:
    raise RuntimeError("a\0\ud800" * 500_000)


@hostile(FAILED, "EOF")
def asks_a_question() -> None:
    try:
        input("Are you sure? ")
    except OSError as error:  # pytest's standard input says so
        raise EOFError from error


@hostile(OK)
def exits_with_zero() -> None:
    sys.exit(0)


@hostile(OK)
def exits_without_a_code() -> None:
    sys.exit()


@hostile(OK)
def exits_with_false() -> None:
    sys.exit(False)


@hostile(FAILED, "The job called sys.exit: SystemExit: 3")
def exits_with_three() -> None:
    sys.exit(3)


@hostile(FAILED, "SystemExit: no space left")
def exits_with_a_text() -> None:
    sys.exit("no space left")


@hostile(FAILED, "SystemExit")
def exits_with_what_cannot_be_read() -> None:
    class Code:
        def __eq__(self, other: object) -> bool:
            raise KeyboardInterrupt

        __hash__ = None  # type: ignore[assignment]

        def __str__(self) -> str:
            raise KeyboardInterrupt

    raise SystemExit(Code())


def _raise_in(thread_id: int, error: type[BaseException]) -> None:
    set_exception = ctypes.pythonapi.PyThreadState_SetAsyncExc
    set_exception(ctypes.c_ulong(thread_id), ctypes.py_object(error))


@hostile(ANY)
def has_an_exception_raised_in_its_thread_at_its_end() -> None:
    _raise_in(threading.get_ident(), TimeoutError)


@hostile(ANY)
def has_an_exception_raised_in_its_thread_later() -> None:
    thread_id = threading.get_ident()

    def raise_later() -> None:
        time.sleep(0.0005)
        _raise_in(thread_id, SystemExit)  # which ends this thread at the latest

    threading.Thread(target=raise_later).start()


@hostile(FAILED, "RuntimeError: after the exit")
def raises_while_it_exits() -> None:
    try:
        sys.exit(0)
    finally:
        raise RuntimeError("after the exit")


@hostile(FAILED, "Unpicklable")
def raises_what_refuses_to_be_copied() -> None:
    class Unpicklable(Exception):
        def __reduce__(self) -> Any:
            raise RuntimeError

        def __getattribute__(self, name: str) -> Any:
            raise RuntimeError(name)

    raise Unpicklable
