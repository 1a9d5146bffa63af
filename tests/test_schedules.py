"""What @job takes as a schedule and as arguments, and what becomes of it."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from django.utils.timezone import now

from scheduler_app.execution.runner import execute
from scheduler_app.models import RunState
from scheduler_app.registry import JobContext, Registry, command_job, job

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def registry() -> Registry:
    return Registry()


def do_nothing() -> None: ...


def text_of(**schedule: Any) -> str:
    """The text of a job's schedule, in Berlin."""
    registry = Registry()
    job(name="a", timezone="Europe/Berlin", registry=registry, **schedule)(do_nothing)
    assert registry.problems == []
    (definition,) = registry
    return definition.schedule.expression


def problem_of(**schedule: Any) -> str:
    registry = Registry()
    job(name="a", registry=registry, **schedule)(do_nothing)
    assert len(registry) == 0
    (problem,) = registry.problems
    return problem.text


@pytest.mark.parametrize(
    ("schedule", "text"),
    [
        ({"every": timedelta(minutes=90)}, "@every 1h30m"),
        ({"every": "90m"}, "@every 1h30m"),
        ({"every": "2h", "anchor": "2026-07-01 08:00"}, "@every 2h anchor 2026-07-01T06:00:00Z"),
        ({"at": datetime(2026, 12, 24, 18)}, "@at 2026-12-24T17:00:00Z"),
        ({"at": "2026-12-24"}, "@at 2026-12-23T23:00:00Z"),
        (
            {"at": datetime(2026, 12, 24, 18, tzinfo=timezone(timedelta(hours=-5)))},
            "@at 2026-12-24T23:00:00Z",
        ),
        ({"at": "2026-03-29 02:30"}, "@at 2026-03-29T01:30:00Z"),  # skipped: as late after the gap
        ({"at": "2026-10-25 02:30"}, "@at 2026-10-25T00:30:00Z"),  # repeated: the first
        ({"at": datetime(2026, 10, 25, 2, 30, fold=1)}, "@at 2026-10-25T01:30:00Z"),
        (
            {"cron": "@daily", "start": date(2026, 7, 1), "end": date(2026, 7, 31)},
            "@daily start 2026-06-30T22:00:00Z end 2026-07-31T21:59:59Z",
        ),
        ({"cron": "@daily", "end": "2026-07-31 12:00"}, "@daily end 2026-07-31T10:00:00Z"),
        ({"cron": "@daily", "calendar": "weekends"}, "@daily except SAT,SUN"),
        (
            {"every": "1h", "calendar": ["sun", date(2026, 12, 25), "12-24,12-31"]},
            "@every 1h except SUN,12-24,12-31,2026-12-25",
        ),
        ({"cron": "@daily", "calendar": []}, "@daily"),
        ({"cron": "@every 5m"}, "@every 5m"),
    ],
)
def test_schedule_of_a_declaration(schedule: dict[str, Any], text: str) -> None:
    assert text_of(**schedule) == text


@pytest.mark.parametrize(
    ("schedule", "text"),
    [
        ({}, "Job 'a': Bad schedule: give one of cron=, every= and at=, not none of them"),
        ({"cron": "@daily", "every": "5m"}, "not cron= and every="),
        ({"cron": "@daily", "anchor": "2026-01-01"}, "anchor= is for every="),
        (
            {"every": 300},
            "Bad interval 300: use whole seconds, minutes, hours, days or weeks: '90s'",
        ),
        ({"every": timedelta(milliseconds=1500)}, "Bad interval datetime.timedelta("),
        ({"every": timedelta(0)}, "from 1 second to 3,660 days"),
        ({"every": timedelta(days=4000)}, "from 1 second to 3,660 days"),
        ({"every": "5m", "anchor": 5}, "Bad anchor 5: use a datetime, or text such as"),
        ({"at": "tomorrow"}, "Bad at 'tomorrow': use a datetime"),
        ({"at": datetime(2026, 1, 1, microsecond=1)}, "Bad at datetime.datetime(2026"),
        ({"at": datetime.min.replace(tzinfo=timezone(timedelta(hours=9)))}, "it is out of range"),
        ({"at": "2026-01-01", "timezone": "Europe/Berlim"}, "Unknown time zone 'Europe/Berlim'"),
        ({"at": "2026-01-01", "timezone": 5}, "Unknown time zone 5"),
        ({"cron": "@daily", "start": object}, "Bad start <class 'object'>"),
        (
            {"cron": "@daily", "start": "2026-02-01", "end": "2026-01-01"},
            "it ends before it starts",
        ),
        ({"cron": "@daily", "calendar": 5}, "Bad calendar 5: name weekdays (MON, "),
        ({"cron": "@daily", "calendar": [None]}, "Bad day None in the calendar"),
        ({"cron": "@daily", "calendar": [NOON]}, "Bad day datetime.datetime("),
        ({"cron": "@daily", "calendar": "holidays"}, "Bad day 'holidays' in the calendar"),
        ({"cron": "0 3 * * SAT", "calendar": "weekends"}, "never fires: its start, its end or its"),
    ],
)
def test_bad_schedule_of_a_declaration_is_named(schedule: dict[str, Any], text: str) -> None:
    assert text in problem_of(**schedule)


def test_command_jobs_have_the_same_schedules(registry: Registry) -> None:
    command_job("check", every="5m", calendar="weekends", registry=registry)
    (definition,) = registry
    assert definition.schedule.expression == "@every 5m except SAT,SUN"


@pytest.mark.parametrize(("given", "isolated"), [({}, True), ({"isolated": False}, False)])
def test_command_has_a_process_of_its_own(
    registry: Registry, given: dict[str, Any], isolated: bool
) -> None:
    command_job("check", cron="@daily", registry=registry, **given)
    (definition,) = registry
    assert definition.policies.isolated is isolated


def result_of(function: Callable[..., Any], **options: Any) -> Any:
    registry = Registry()
    job(every="5m", name="a", registry=registry, **options)(function)
    assert registry.problems == []
    (definition,) = registry
    outcome = execute(definition, JobContext(job_name="a", run_id=1, scheduled_for=now()))
    assert outcome.state == RunState.SUCCESS, outcome.traceback
    return outcome.metadata["said"]


def first(one: str, two: str = "-") -> dict[str, str]:
    return {"said": f"{one} {two}"}


def middle(one: str, context: JobContext, two: str = "-") -> dict[str, str]:
    return {"said": f"{one} {two} {context.job_name}"}


def last(*, one: str, context: str = "none") -> dict[str, str]:
    return {"said": f"{one} {context}"}


async def later(context: JobContext, one: str) -> dict[str, str]:
    return {"said": f"{one} {context.job_name}"}


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "result"),
    [
        (first, ["x"], {}, "x -"),
        (first, ("x", "y"), {}, "x y"),
        (first, [], {"one": "x", "two": "y"}, "x y"),
        (middle, ["x"], {}, "x - a"),
        (middle, ["x"], {"two": "y"}, "x y a"),
        (last, [], {"one": "x"}, "x none"),
        (later, [], {"one": "x"}, "x a"),
    ],
)
def test_function_is_called_with_its_arguments(
    function: Callable[..., Any], args: Any, kwargs: Any, result: str
) -> None:
    assert result_of(function, args=args, kwargs=kwargs) == result


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "text"),
    [
        (first, "x", {}, "Bad args 'x' of tests.test_schedules.first: use a list or tuple"),
        (first, 5, {}, "Bad args 5"),
        (first, [], 5, "Bad kwargs 5"),
        (first, [], {5: 5}, "Bad kwargs {5: 5}"),
        (first, ["x", "y", "z"], {}, "cannot be called with args and kwargs (too many"),
        (first, [], {"three": 3}, "got an unexpected keyword argument 'three'"),
        (middle, ["x", "y"], {}, "args or kwargs give tests.test_schedules.middle its context"),
        (middle, [], {"one": "x"}, "cannot be called with a context alone"),
    ],
)
def test_arguments_that_do_not_fit_are_a_problem(
    function: Callable[..., Any], args: Any, kwargs: Any, text: str
) -> None:
    registry = Registry()
    job(every="5m", args=args, kwargs=kwargs, registry=registry)(function)
    (problem,) = registry.problems
    assert text in problem.text


def test_function_may_have_several_schedules(registry: Registry) -> None:
    @job(cron="@daily", name="north", args=["north"], registry=registry)
    @job(every="1h", name="south", args=["south"], registry=registry)
    def report(region: str) -> str:
        """Write the report."""
        return region

    assert registry.names == ["north", "south"]
    assert {definition.description for definition in registry} == {"Write the report."}
    assert report("here") == "here"
