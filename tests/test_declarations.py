"""Whatever is declared is a job or a problem of `manage.py check`, never an exception."""

import asyncio
import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.checks import CheckMessage
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.utils import timezone

from scheduler_app import checks
from scheduler_app.cron import MAX_JITTER, MAX_TEXT, MAX_ZONE
from scheduler_app.exceptions import DeclarationError
from scheduler_app.execution.runner import execute
from scheduler_app.models import Job, RunState, SchedulePeriod
from scheduler_app.policies import MAX_CATCH_UP, MAX_NAME, MAX_RETRIES, CatchUp, Overlap
from scheduler_app.registry import JobContext, Registry, command_job, job
from scheduler_app.text import shown


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    """The registry that is checked."""
    registry = Registry()
    monkeypatch.setattr(checks, "registry", registry)
    return registry


def errors() -> list[CheckMessage]:
    return checks.check_declarations()


def error() -> CheckMessage:
    """The one error, which has all that people need to mend it."""
    (found,) = errors()
    assert found.id == "scheduler.E001"
    assert found.hint
    assert str(found).isprintable() or "\n\tHINT: " in str(found)
    str(found).encode()
    return found


@dataclass(frozen=True)
class New:
    """An object that pytest itself could not take as a parameter."""

    kind: Callable[[], Any]


def real(value: Any) -> Any:
    return value.kind() if isinstance(value, New) else value


def huge() -> int:
    return 10**5000


class Unfriendly:
    """An object that raises whatever it is asked."""

    def __repr__(self) -> str:
        raise RuntimeError

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError

    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    def __bool__(self) -> bool:
        raise RuntimeError

    __hash__ = None  # type: ignore[assignment]


class UnfriendlyCall(Unfriendly):
    def __call__(self) -> None: ...


class FalseFace:
    """An object that raises when it is asked for its class."""

    @property
    def __class__(self) -> Any:
        raise RuntimeError

    @__class__.setter
    def __class__(self, value: Any) -> None: ...

    def __call__(self) -> None: ...


class Report:
    """Make the report."""

    def __call__(self) -> str:
        return "called"

    def make(self) -> str:
        """Make it."""
        return "made"

    @staticmethod
    def static() -> str:
        return "static"

    @classmethod
    def of_class(cls) -> str:
        return "of the class"


class WithContext:
    def __call__(self, context: JobContext) -> int:
        return context.run_id


class Generating:
    def __call__(self) -> Any:
        yield


class AsyncGenerating:
    async def __call__(self) -> Any:
        yield


def tell(what: str) -> str:
    """Tell something."""
    return what


def of_class(cls: Any) -> None: ...


def generate(count: int) -> Any:
    yield count


CALLABLES: list[tuple[Any, str]] = [
    (partial(tell, "partial"), "partial"),
    (partial(partial(tell), "twice"), "twice"),
    (Report(), "called"),
    (Report().make, "made"),
    (Report.static, "static"),
    (Report.of_class, "of the class"),
    (staticmethod(Report.static), "static"),
    (lambda: "lambda", "lambda"),
    (partial(Report().make), "made"),
    (partial(repr, 5), "5"),
]


@pytest.mark.parametrize(("function", "result"), CALLABLES)
def test_callable_with_a_name_is_a_job(
    registry: Registry, function: Callable[..., Any], result: str
) -> None:
    assert job(cron="@daily", name="a", registry=registry)(function) is function
    assert errors() == []
    (definition,) = registry
    assert not definition.takes_context
    assert definition.function() == result


async def wait(seconds: float) -> dict[str, Any]:
    await asyncio.sleep(seconds)
    return {"done": True}


class Waiting:
    async def __call__(self, context: JobContext) -> dict[str, Any]:
        return await wait(0)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("function", [partial(wait, 0), Waiting(), partial(Waiting())])
def test_async_callable_runs_like_a_function(registry: Registry, function: Any) -> None:
    job(cron="@daily", name="a", registry=registry)(function)
    (definition,) = registry
    context = JobContext(job_name="a", run_id=1, scheduled_for=timezone.now())
    outcome = execute(definition, context)
    assert (outcome.state, outcome.metadata) == (RunState.SUCCESS, {"done": True})


@pytest.mark.parametrize("function", [WithContext(), partial(WithContext())])
def test_callable_object_can_take_the_context(registry: Registry, function: Any) -> None:
    job(cron="@daily", name="a", registry=registry)(function)
    (definition,) = registry
    assert definition.takes_context


def test_description_of_a_partial_is_its_functions(registry: Registry) -> None:
    job(cron="@daily", name="a", registry=registry)(partial(tell, "x"))
    (definition,) = registry
    assert definition.description == "Tell something."


@pytest.mark.parametrize("function", [partial(tell, "x"), Report(), WithContext()])
def test_callable_without_a_name_is_a_problem(registry: Registry, function: Any) -> None:
    job(cron="@daily", registry=registry)(real(function))
    assert "has no name of its own: give the job one with name=" in error().msg


def test_bound_method_has_the_name_of_its_function(registry: Registry) -> None:
    job(cron="@daily", registry=registry)(Report().make)
    assert registry.names == ["make"]


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (Report, "is a class: declare a function"),
        (int, "is a class"),
        (5, "is not callable"),
        (None, "is not callable"),
        (object(), "is not callable"),
        (classmethod(of_class), "is not callable"),
        (New(Unfriendly), "is not callable"),
        (New(FalseFace), "cannot be inspected"),
        (Generating(), "is a generator"),
        (AsyncGenerating(), "is a generator"),
        (staticmethod(generate), "is a generator"),
        (partial(generate, 1), "is a generator"),
        (New(UnfriendlyCall), "cannot be inspected"),
        (max, "Python cannot tell the parameters"),
        (operator.methodcaller("x"), "Python cannot tell the parameters"),
        (
            partial(tell, "x", "too many"),  # type: ignore[call-arg]
            "Python cannot tell the parameters",
        ),
    ],
)
def test_what_no_job_can_be_is_a_problem(registry: Registry, function: Any, text: str) -> None:
    job(cron="@daily", name="a", registry=registry)(real(function))
    assert text in error().msg
    assert len(registry) == 0


ODD: list[Any] = [
    None, 5, -1, 2.5, math.nan, math.inf, New(huge), True, b"x", Decimal(1), [], {}, {"a": []}, (),
    object(), New(Unfriendly), ZoneInfo("UTC"), lambda: None, "x\0", "\ud800", "x" * 9999, "a\nb",
    "\x1b[2J", "  ", "\N{NO-BREAK SPACE}", "٣", Overlap, type,
]  # fmt: skip
ARGUMENTS = [
    *("cron", "name", "timezone", "jitter", "description", "overlap", "catch_up"),
    *(
        "catch_up_limit",
        "retries",
        "retry_delay",
        "retry_max_delay",
        "timeout",
        "isolated",
        "pause_on_failure",
    ),
]


@pytest.mark.parametrize("argument", ARGUMENTS)
@pytest.mark.parametrize("value", ODD, ids=[str(n) for n in range(len(ODD))])
def test_odd_argument_is_a_job_or_a_problem(registry: Registry, argument: str, value: Any) -> None:
    arguments = {"cron": "@daily", "name": "a", "registry": registry, argument: real(value)}
    job(**arguments)(tell_nothing)
    if not errors():
        (definition,) = registry
        _save(definition)
    elif not registry.problems[0].text.startswith("Job"):
        assert f"Bad {argument}" in error().msg or argument in ("name", "cron")
    else:
        error()


def tell_nothing() -> None: ...


def _save(definition: Any) -> None:
    """What the database would be given passes all that the columns ask for."""
    schedule, policies = definition.schedule, definition.policies
    row = Job(
        name=definition.name, description=definition.description, cron=schedule.expression,
        timezone=schedule.timezone, jitter=schedule.jitter,
        **{name: getattr(policies, name) for name in policies.__dataclass_fields__},
    )  # fmt: skip
    row.clean_fields()
    row.description.encode()


@pytest.mark.parametrize(
    ("argument", "value", "text"),
    [
        ("cron", None, "give one of cron=, every= and at=, not none of them"),
        ("cron", 5, "Bad schedule 5: use five fields"),
        ("cron", ["@daily"], "Bad schedule ['@daily']"),
        ("cron", "", "Empty cron expression"),
        ("cron", "0 0 * *\0*", r"Bad cron expression '0 0 * *\x00*' of 4 field(s)"),
        ("cron", ",".join(["1"] * 999) + " * * * *", "use at most 2000 characters"),
        ("name", 5, "Bad job name 5"),
        ("name", None, "Bad job name None"),
        ("name", New(Unfriendly), "Bad job name <Unfriendly that cannot be shown>"),
        ("timezone", None, "Unknown time zone None: use an IANA name"),
        ("timezone", "Europe/" + "x" * 60, "use at most 64 characters"),
        ("timezone", "Europe/Ber\0lin", r"Unknown time zone 'Europe/Ber\x00lin'"),
        ("timezone", "\ud800", "Unknown time zone"),
        ("jitter", 2**31, "use a whole number of seconds from 0 to 2,147,483,647"),
        ("jitter", True, "Bad jitter True"),
        ("description", 5, "Bad description 5: use text"),
        ("description", "x" * 10_001, "use at most 10,000 characters"),
        ("description", "x\0y", "remove NUL characters and lone surrogates"),
        ("description", "x\udfffy", "remove NUL characters and lone surrogates"),
        ("overlap", [], "Bad overlap []: use one of skip"),
        ("catch_up", New(Unfriendly), "Bad catch_up <Unfriendly that cannot be shown>: use one of"),
        ("catch_up_limit", 2**31, "Bad catch_up_limit 2147483648"),
        ("retries", 2**15, "Bad retries 32768"),
        ("retry_delay", math.nan, "Bad retry_delay nan"),
        ("retry_max_delay", math.inf, "Bad retry_max_delay inf"),
        ("timeout", 10**400, "Bad timeout 1000"),
        ("timeout", -math.inf, "Bad timeout -inf"),
    ],
)
def test_bad_argument_is_named(registry: Registry, argument: str, value: Any, text: str) -> None:
    arguments = {"cron": "@daily", "name": "a", "registry": registry, argument: real(value)}
    job(**arguments)(tell_nothing)
    assert text in error().msg


def test_whitespace_of_an_expression_is_collapsed(registry: Registry) -> None:
    spaced = f"0 \t 0\N{NO-BREAK SPACE}*\n* {' ' * 300} *\x1f"
    job(cron=spaced, name="a", registry=registry)(tell_nothing)
    assert errors() == []
    (definition,) = registry
    assert definition.schedule.expression == "0 0 * * *"


def test_docstring_that_no_database_stores_is_a_problem(registry: Registry) -> None:
    def function() -> None: ...

    function.__doc__ = "Do\0it."
    job(cron="@daily", name="a", registry=registry)(function)
    assert "Bad description" in error().msg


@pytest.mark.parametrize(
    ("arguments", "options", "text"),
    [
        ((5,), None, "Bad command 5: use its name"),
        ((None,), None, "Bad command None"),
        (("",), None, "Bad command ''"),
        ((New(Unfriendly),), None, "Bad command <Unfriendly that cannot be shown>"),
        (("check", 5), None, "Bad argument 5 of check: use text"),
        (("check", None), None, "Bad argument None of check"),
        (("check", ["--tag"]), None, "Bad argument ['--tag'] of check"),
        (("check",), 5, "Bad options 5 of check: use a dict by name"),
        (("check",), [("verbosity", 0)], "Bad options [('verbosity', 0)] of check"),
        (("check",), {5: 0}, "Bad options {5: 0} of check"),
        (("check",), New(Unfriendly), "Bad options <Unfriendly that cannot be shown> of check"),
    ],
)
def test_bad_command_is_a_problem(
    registry: Registry, arguments: Any, options: Any, text: str
) -> None:
    names = [real(each) for each in arguments]
    command_job(*names, cron="@daily", name="a", options=real(options), registry=registry)
    assert text in error().msg


@pytest.mark.parametrize("argument", ARGUMENTS)
@pytest.mark.parametrize("value", [5, None, New(Unfriendly), "\0"], ids=["5", "None", "odd", "NUL"])
def test_odd_argument_of_a_command_job_is_no_exception(
    registry: Registry, argument: str, value: Any
) -> None:
    arguments = {"cron": "@daily", "name": "a", "registry": registry, argument: real(value)}
    command_job("check", **arguments)
    assert len(registry) + len(errors()) == 1


def test_decorator_without_parentheses_is_a_problem(registry: Registry) -> None:
    untyped: Any = partial(job)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("scheduler_app.registry.registry", registry)
        assert untyped(tell_nothing) is tell_nothing
    assert "job() cannot be called so: too many positional arguments" in error().msg
    assert error().obj.startswith("tests.test_declarations, line ")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({}, "give one of cron=, every= and at=, not none of them"),
        ({"corn": "@daily"}, "got an unexpected keyword argument 'corn'"),
        ({"cron": "@daily", "retry": 3}, "got an unexpected keyword argument 'retry'"),
    ],
)
def test_call_whose_arguments_do_not_fit_is_a_problem(
    registry: Registry, arguments: dict[str, Any], text: str
) -> None:
    assert job(registry=registry, **arguments)(tell_nothing) is tell_nothing
    assert text in error().msg
    assert len(registry) == 0


@pytest.mark.parametrize(
    ("names", "arguments", "text"),
    [
        ((), {"cron": "@daily"}, "missing a required argument: 'command'"),
        (("check",), {"cron": "@daily", "retry": 3}, "unexpected keyword argument 'retry'"),
    ],
)
def test_command_job_whose_arguments_do_not_fit_is_a_problem(
    registry: Registry, names: tuple[str, ...], arguments: dict[str, Any], text: str
) -> None:
    command_job(*names, registry=registry, **arguments)
    assert text in error().msg
    assert error().obj.startswith("tests.test_declarations, line ")
    assert len(registry) == 0


def test_command_job_without_a_schedule_is_a_problem(registry: Registry) -> None:
    command_job("check", registry=registry)
    assert "Job 'check': Bad schedule: give one of cron=, every= and at=" in error().msg
    assert len(registry) == 0


def test_problem_stops_check_and_nothing_else(registry: Registry) -> None:
    job(cron=None, name=5, registry=registry)(None)  # type: ignore[type-var, arg-type]
    job(cron="@daily", name="fine", registry=registry)(tell_nothing)
    with pytest.raises(SystemCheckError, match=r"scheduler\.E001"):
        call_command("check")
    assert registry.names == ["fine"]


@pytest.mark.parametrize("model", [Job, SchedulePeriod])
def test_limits_are_those_of_the_columns(model: Any) -> None:
    length = {field.name: getattr(field, "max_length", None) for field in model._meta.fields}
    name = "name" if model is Job else "job_name"
    limits = (MAX_NAME, MAX_TEXT, MAX_ZONE)
    assert (length[name], length["cron"], length["timezone"]) == limits


def column(name: str) -> Any:
    return Job._meta.get_field(name)


def test_limits_of_numbers_fit_their_columns() -> None:
    for name, most in (
        ("jitter", MAX_JITTER), ("retries", MAX_RETRIES), ("catch_up_limit", MAX_CATCH_UP),
    ):  # fmt: skip
        column(name).run_validators(most)
    for name, choices in (("overlap", Overlap), ("catch_up", CatchUp)):
        assert max(map(len, choices.values)) <= (column(name).max_length or 0)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a\nb", r"'a\nb'"),
        ("x" * 500, "'" + "x" * 119 + "..."),
        (New(huge), "<int that cannot be shown>"),
        (New(Unfriendly), "<Unfriendly that cannot be shown>"),
        (DeclarationError("\ud800"), r"DeclarationError('\ud800')"),
    ],
)
def test_bad_value_is_shown_on_one_line(value: object, text: str) -> None:
    assert shown(real(value)) == text
