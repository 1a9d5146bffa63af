"""What a job may return and report."""

import threading
from collections.abc import Iterator, Mapping
from typing import Any

from scheduler_app.registry import JobContext
from tests.execution.hostile.table import FAILED, OK, hostile


def _nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"deeper": value}
    return value


class _Interrupts:
    def __str__(self) -> str:
        raise KeyboardInterrupt

    __repr__ = __str__


@hostile(OK, "not storable")
def returns_seven_hundred_levels() -> Any:
    return _nested(700)


@hostile(OK, "not storable")
def returns_a_hundred_thousand_levels() -> Any:
    return _nested(100_000)


@hostile(OK, "not storable")
def returns_what_holds_itself() -> Any:
    values: dict[str, Any] = {}
    values["self"] = [values]
    return values


@hostile(OK, "not storable")
def returns_a_mapping_that_cannot_be_read() -> Any:
    class Unreadable(Mapping[str, int]):
        def __iter__(self) -> Iterator[str]:
            raise SystemExit

        def __len__(self) -> int:
            raise KeyboardInterrupt

        def __getitem__(self, key: str) -> int:
            raise KeyError

    return Unreadable()


@hostile(OK)
def returns_what_has_no_class() -> Any:
    def refuse(_: object) -> None:
        raise KeyboardInterrupt

    return type("Classless", (), {"__class__": property(refuse)})()


@hostile(OK, "kept")
def returns_a_value_that_interrupts() -> Any:
    return {"bad": _Interrupts(), "good": "kept"}


@hostile(OK, "not storable")
def returns_a_key_that_interrupts() -> Any:
    return {_Interrupts(): 1, "good": 2}


@hostile(OK, "Infinity")
def returns_odd_numbers() -> Any:
    return {"a": float("inf"), "b": float("nan"), "c": 10**400, "d": 10**5000, "e": -0.0}


@hostile(FAILED, "none of its body has run")
def returns_a_generator() -> Any:
    return (number for number in (1, 2))


@hostile(OK, "plain")
def returns_a_dict_that_lies() -> Any:
    class Lies(dict[str, str]):
        def items(self) -> Any:
            raise KeyboardInterrupt

        __iter__ = keys = __len__ = items

    return {"lies": Lies(a="plain")}


@hostile(OK, "plain")
def returns_a_text_that_lies() -> Any:
    class Lies(str):
        def replace(self, *_: Any) -> Any:
            raise KeyboardInterrupt

        encode = __str__ = __len__ = replace  # type: ignore[assignment]

    return {"text": Lies("plain")}


@hostile(OK, "are kept")
def returns_a_megabyte() -> Any:
    return {str(number): "x" * 1_000 for number in range(1_000)}


@hostile(OK, "lock")
def returns_a_lock_and_bytes() -> Any:
    return {"lock": threading.Lock(), "bytes": b"\xff\0", "surrogate": "\ud800"}


@hostile(OK, "not storable")
def reports_seven_hundred_levels(context: JobContext) -> None:
    context.report(deep=_nested(700))


@hostile(OK, "not storable")
def reports_what_interrupts(context: JobContext) -> None:
    context.report(bad=_Interrupts(), good=1)


@hostile(OK, "as reported")
def reports_what_it_changes_afterwards(context: JobContext) -> None:
    values: list[Any] = ["as reported"]
    context.report(values=values)
    values[:] = [_Interrupts(), values]


@hostile(OK)
def reports_without_end(context: JobContext) -> None:
    for number in range(2_000):
        context.report(number=number)


@hostile(OK)
def reports_from_a_thread_that_goes_on(context: JobContext) -> None:
    def report() -> None:
        for number in range(20_000):
            context.report(**{f"number{number % 100}": number})

    threading.Thread(target=report, daemon=True).start()


@hostile(OK)
def spoils_its_context(context: JobContext) -> None:
    context.reported = None  # type: ignore[assignment]
    context.cancel_seen = _Interrupts()  # type: ignore[assignment]
