"""The text of an exception: the whole of it, or what can be had."""

import sys
from typing import Any

import pytest

from scheduler_app.execution import describe
from scheduler_app.execution.describe import format_traceback, is_clean_exit


def broken(name: str) -> type[BaseException]:
    """An exception of which this attribute raises."""

    def refuse(*_: object) -> Any:
        raise KeyboardInterrupt

    return type("Broken", (Exception,), {name: refuse if name == "__str__" else property(refuse)})


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


@pytest.mark.parametrize("name", ["__str__", "__notes__", "__cause__", "__context__"])
def test_attribute_that_raises_costs_itself_alone(name: str) -> None:
    error = raised(broken(name)("no such record"))
    assert "Broken" in describe.describe(error)
    assert "in raised" in format_traceback(error)


def test_type_without_a_readable_name_has_its_true_one() -> None:
    class Meta(type):
        def __getattribute__(cls, name: str) -> Any:
            raise RuntimeError(name)

    class Nameless(Exception, metaclass=Meta):
        pass

    assert describe.describe(Nameless()) == "Nameless"


def test_text_without_memory_is_fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> str:
        raise MemoryError

    monkeypatch.setattr(describe, "storable", refuse)
    assert describe.describe(ValueError("a")) == describe.UNREADABLE
    assert format_traceback(ValueError("a")) == describe.UNREADABLE


def test_traceback_has_the_causes() -> None:
    error = ValueError("effect")
    error.__cause__ = raised(KeyError("cause"))
    assert "KeyError: 'cause'" in format_traceback(raised(error))


@pytest.mark.parametrize("code", [None, 0, False])
def test_exit_without_a_failure_is_clean(code: Any) -> None:
    assert is_clean_exit(SystemExit(code))


@pytest.mark.parametrize("code", [1, True, "", "text", 0.0, [], object()])
def test_exit_with_a_failure_is_not_clean(code: Any) -> None:
    assert not is_clean_exit(SystemExit(code))


def test_other_exceptions_are_no_clean_exit() -> None:
    assert not is_clean_exit(KeyboardInterrupt())
    assert not is_clean_exit(ExceptionGroup("group", [ValueError()]))


def test_error_deep_in_the_stack_has_its_text() -> None:
    def dig() -> None:
        dig()

    with pytest.raises(RecursionError) as info:
        dig()
    assert describe.describe(info.value).startswith("RecursionError: maximum recursion depth")
    assert len(format_traceback(info.value)) < sys.getrecursionlimit() * 100
