"""Whatever a job does, an outcome that any database can store comes of it."""

import sys
import threading
from collections.abc import AsyncIterator, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from django.utils import timezone, translation

from scheduler_app.cron import Schedule
from scheduler_app.execution import describe
from scheduler_app.execution.runner import Outcome, execute
from scheduler_app.metadata import storable_metadata
from scheduler_app.models import RunState
from scheduler_app.registry import JobContext, JobDefinition
from scheduler_app.text import storable


def call(function: Callable[..., Any]) -> Outcome:
    """Carry it out in a thread, as the scheduler does."""
    definition = JobDefinition(name="a", function=function, schedule=Schedule("* * * * *"))
    context = JobContext(job_name="a", run_id=7, scheduled_for=datetime(2026, 1, 1, tzinfo=UTC))
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(execute, definition, context).result()


def test_function_without_parameters() -> None:
    assert call(lambda: None) == Outcome(RunState.SUCCESS)


def test_context_tells_name_run_and_time() -> None:
    def function(context: JobContext) -> dict[str, Any]:
        return {"name": context.job_name, "run": context.run_id, "at": context.scheduled_for}

    metadata = call(function).metadata
    assert metadata == {"name": "a", "run": 7, "at": "2026-01-01 00:00:00+00:00"}


def test_coroutine_function_is_awaited() -> None:
    async def function(context: JobContext) -> dict[str, int]:
        return {"items": 3}

    assert call(function).metadata == {"items": 3}


def test_function_that_returns_an_awaitable_is_awaited() -> None:
    class Later:
        def __await__(self) -> Generator[None, None, dict[str, int]]:
            yield
            return {"items": 3}

    assert call(Later).metadata == {"items": 3}


async def many() -> AsyncIterator[int]:
    yield 1


@pytest.mark.parametrize("function", [lambda: (number for number in (1, 2)), lambda: many()])
def test_generator_that_is_returned_has_not_run(function: Any) -> None:
    outcome = call(function)
    assert outcome.state == RunState.FAILED
    assert "none of its body has run" in outcome.message


def test_reported_values_are_kept_when_the_job_fails() -> None:
    def function(context: JobContext) -> None:
        context.report(done=3)
        raise ValueError("no more")

    outcome = call(function)
    assert outcome.state == RunState.FAILED
    assert outcome.message == "ValueError: no more"
    assert outcome.metadata == {"done": 3}
    assert "raise ValueError" in outcome.traceback


def test_returned_mapping_wins_over_reported_values() -> None:
    def function(context: JobContext) -> dict[str, int]:
        context.report(done=3, left=4)
        return {"done": 7}

    assert call(function).metadata == {"done": 7, "left": 4}


def test_language_and_zone_that_a_job_activates_are_its_own() -> None:
    def activates() -> None:
        translation.activate("de")
        timezone.activate("Asia/Tokyo")

    def tells() -> dict[str, str]:
        return {
            "language": translation.get_language(),
            "zone": timezone.get_current_timezone_name(),
        }

    before = call(tells)
    assert call(activates).state == RunState.SUCCESS
    assert call(tells) == before


def test_sys_exit_is_a_failure_of_the_job_alone() -> None:
    outcome = call(lambda: sys.exit(3))
    assert outcome.state == RunState.FAILED
    assert outcome.message == "The job called sys.exit: SystemExit: 3"


def test_keyboard_interrupt_in_a_job_is_a_failure() -> None:
    def function() -> None:
        raise KeyboardInterrupt

    assert call(function).message == "KeyboardInterrupt"


def test_error_that_cannot_be_printed_is_a_failure() -> None:
    class Unprintable(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    def function() -> None:
        raise Unprintable

    assert "Unprintable" in call(function).message


def test_huge_error_with_nul_is_bounded() -> None:
    def function() -> None:
        raise RuntimeError("start\0" + "x" * 100_000 + "end")

    outcome = call(function)
    assert len(outcome.message) == describe.MESSAGE_LIMIT
    assert outcome.message.startswith("RuntimeError: start\N{SYMBOL FOR NULL}x")
    assert outcome.message.endswith("xend")
    assert "characters left out" in outcome.message
    assert len(outcome.traceback) <= describe.TRACEBACK_LIMIT


def test_cancelled_context_says_so() -> None:
    asked = threading.Event()
    context = JobContext(
        job_name="a", run_id=1, scheduled_for=datetime.now(UTC), cancel_event=asked
    )
    assert not context.cancelled
    asked.set()
    assert context.cancelled


def test_lone_surrogate_is_replaced() -> None:
    assert storable("a\ud800b", 100) == "a?b"


def test_text_within_its_limit_is_untouched() -> None:
    assert storable("abc", 3) == "abc"


@pytest.mark.parametrize(
    ("values", "stored"),
    [
        ({1: "a"}, {"1": "a"}),
        ({"n": float("nan")}, {"n": "NaN"}),
        ({"z": "a\0b", "deep": [{"k\0": "v\0"}]}, {"z": "a␀b", "deep": [{"k␀": "v␀"}]}),
        ({"o": {1, 2}}, {"o": "{1, 2}"}),
    ],
)
def test_metadata_becomes_json_that_any_database_takes(values: Any, stored: Any) -> None:
    assert storable_metadata(values) == stored


def test_metadata_that_refers_to_itself_becomes_a_note() -> None:
    values: dict[str, Any] = {}
    values["self"] = values
    assert "not storable" in storable_metadata(values)["metadata_error"]


def test_too_much_metadata_becomes_a_note() -> None:
    assert "are kept" in storable_metadata({"a": "x" * 70_000})["metadata_error"]


def test_object_that_cannot_be_printed_becomes_a_note() -> None:
    class Bad:
        def __str__(self) -> str:
            raise RuntimeError("no")

    assert "metadata_error" in storable_metadata({"a": Bad()})
