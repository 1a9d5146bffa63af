"""Declaring jobs."""

from functools import partial
from typing import Any

import pytest

from scheduler_app import command
from scheduler_app import registry as module
from scheduler_app.inspection import misfit
from scheduler_app.registry import JobContext, JobDefinition, Registry, command_job, job


@pytest.fixture
def registry() -> Registry:
    return Registry()


def only(registry: Registry) -> JobDefinition:
    (definition,) = registry
    return definition


def problem(registry: Registry) -> module.Problem:
    (found,) = registry.problems
    assert not list(registry) or found
    return found


def test_name_and_description_come_from_the_function(registry: Registry) -> None:
    @job(cron="0 1 * * *", registry=registry)
    def roll_up_day(context: JobContext) -> None:
        """Roll yesterday's records up into one."""

    definition = only(registry)
    assert definition.name == "roll-up-day"
    assert definition.description == "Roll yesterday's records up into one."
    assert definition.takes_context


def test_decorated_function_is_returned_unchanged(registry: Registry) -> None:
    def function() -> int:
        return 3

    assert job(cron="@daily", registry=registry)(function) is function


def test_zone_is_by_default_the_projects(registry: Registry, settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    job(cron="@daily", registry=registry)(lambda: None)
    # a lambda has no usable name, so this declaration is a problem of its own
    assert "Bad job name" in problem(registry).text
    job(cron="@daily", name="a", registry=registry)(lambda: None)
    assert only(registry).schedule.timezone == "Europe/Berlin"


def test_two_jobs_of_one_name_are_a_problem(registry: Registry) -> None:
    for _ in range(2):

        @job(cron="@daily", name="a", registry=registry)
        def function() -> None: ...

    assert "Two jobs are named 'a'" in problem(registry).text
    assert len(registry) == 1


@pytest.mark.parametrize("name", ["A b", "-a", "a/b", "ä", "a" * 101, "a\n"])
def test_bad_name_is_a_problem(registry: Registry, name: str) -> None:
    job(cron="@daily", name=name, registry=registry)(lambda: None)
    assert "Bad job name" in problem(registry).text
    assert len(registry) == 0


def test_bad_expression_is_a_problem_that_names_the_field(registry: Registry) -> None:
    job(cron="0 25 * * *", name="a", registry=registry)(lambda: None)
    assert "hour" in problem(registry).text
    assert problem(registry).hint


def test_unknown_zone_is_a_problem(registry: Registry) -> None:
    job(cron="@daily", name="a", timezone="Mars/Olympus", registry=registry)(lambda: None)
    assert "Mars/Olympus" in problem(registry).text


def test_bad_overlap_is_a_problem(registry: Registry) -> None:
    job(cron="@daily", name="a", overlap="maybe", registry=registry)(lambda: None)
    assert "Bad overlap 'maybe'" in problem(registry).text


def test_function_with_two_parameters_is_a_problem(registry: Registry) -> None:
    def function(context: JobContext, other: int) -> None: ...

    job(cron="@daily", name="a", registry=registry)(function)
    assert "one" in problem(registry).text


def with_default(days: int = 30) -> int:
    return days


def with_keyword(*, dry_run: bool = False) -> bool:
    return dry_run


def with_optional_context(context: JobContext | None = None) -> bool:
    return context is not None


@pytest.mark.parametrize(
    ("function", "takes_context"),
    [(with_default, False), (with_keyword, False), (with_optional_context, True)],
)
def test_parameters_with_defaults_are_the_functions_own(
    registry: Registry, function: Any, takes_context: bool
) -> None:
    job(cron="@daily", name="a", registry=registry)(function)
    assert only(registry).takes_context is takes_context


def generator() -> Any:
    yield


async def async_generator() -> Any:
    yield


@pytest.mark.parametrize("function", [generator, async_generator])
def test_generator_is_a_problem(registry: Registry, function: Any) -> None:
    job(cron="@daily", name="a", registry=registry)(function)
    assert "is a generator" in problem(registry).text
    assert len(registry) == 0


def test_command_becomes_a_job(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr(
        command, "call_command", lambda *args, **kwargs: calls.append((args, kwargs))
    )
    command_job("clear_things", "--all", cron="@daily", options={"verbosity": 0}, registry=registry)
    definition = only(registry)
    assert definition.name == "clear-things"
    assert definition.description == "manage.py clear_things --all"
    definition.function()
    assert calls == [(("clear_things", "--all"), {"verbosity": 0})]


def test_context_collects_reported_values() -> None:
    from datetime import UTC, datetime

    context = JobContext(job_name="a", run_id=1, scheduled_for=datetime.now(UTC))
    context.report(done=1, left=9)
    context.report(done=2)
    assert context.reported == {"done": 2, "left": 9}


@pytest.mark.parametrize("declare", ["job(cron='@daily', name='a')(print)", "command_job('check')"])
def test_job_belongs_to_the_app_of_the_module_that_declares_it(declare: str) -> None:
    for name, app in (("scheduler_app.jobs", "scheduler_app"), ("nobody.jobs", "")):
        registry = Registry()
        names = {"__name__": name, "job": partial(job, registry=registry)}
        names |= {"command_job": partial(command_job, cron="@daily", registry=registry)}
        exec(declare, names)
        assert only(registry).app == app


def test_argument_that_is_misspelt_names_the_nearest() -> None:
    def report(limit: int = 5) -> None: ...

    assert misfit(report, {"lmit": 1}, with_context=False).endswith("'lmit' (did you mean limit?)")
