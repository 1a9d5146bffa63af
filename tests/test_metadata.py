"""A job's values as metadata: a copy that any database takes and every surface shows."""

import enum
import json
from collections import OrderedDict, UserDict, namedtuple
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from django.utils.safestring import mark_safe

from scheduler_app.metadata import (
    DEPTH,
    ERROR,
    Progress,
    mapping,
    read_progress,
    storable_metadata,
    stored_progress,
)
from scheduler_app.registry import JobContext
from tests.engine.conftest import T0


class Colour(enum.StrEnum):
    RED = "red"


class Number(enum.IntEnum):
    ONE = 1


class Interrupts:
    def __str__(self) -> str:
        raise KeyboardInterrupt

    __repr__ = __str__


Point = namedtuple("Point", "x y")


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (Colour.RED, "red"),
        (Number.ONE, 1),
        (True, True),
        (1.0, 1.0),
        (mark_safe("text"), "text"),
        ((1, 2), [1, 2]),
        (Point(1, 2), [1, 2]),
        (OrderedDict(a=1), {"a": 1}),
        ({1: {None: "a"}}, {"1": {"None": "a"}}),
        (b"ab", "b'ab'"),
        (float("-inf"), "-Infinity"),
        (2**200, 2**200),
        (2**2000, "about 2^2000"),
        ([-(10**5000)], ["about -2^16609"]),
    ],
)
def test_value_becomes_json(value: Any, stored: Any) -> None:
    found = storable_metadata({"a": value})
    assert found == {"a": stored}
    assert type(found["a"]) is type(stored)


def test_value_that_cannot_be_read_costs_itself_alone() -> None:
    found = storable_metadata({"bad": Interrupts(), "good": 1})
    assert found == {"good": 1, ERROR: "'bad' is not storable: KeyboardInterrupt"}


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def test_values_may_be_nested_up_to_a_depth() -> None:
    assert storable_metadata({"a": nested(DEPTH)}) == {"a": nested(DEPTH)}
    assert "nested more than 32 deep" in storable_metadata({"a": nested(DEPTH + 1)})[ERROR]
    assert "not storable" in storable_metadata({"a": nested(100_000)})[ERROR]


@pytest.mark.parametrize("result", [None, 5, "text", [("a", 1)], object()])
def test_result_that_is_no_mapping_is_left_out(result: object) -> None:
    assert mapping(result) == {}


def test_result_may_be_any_mapping() -> None:
    assert mapping(UserDict({"a": 1})) == {"a": 1}


def test_what_is_reported_is_a_copy() -> None:
    context = JobContext(job_name="a", run_id=1, scheduled_for=T0)
    values = ["as reported"]
    context.report(values=values)
    values.append("later")
    assert context.reported == {"values": ["as reported"]}


def test_report_of_what_cannot_be_read_does_not_raise() -> None:
    context = JobContext(job_name="a", run_id=1, scheduled_for=T0)
    context.report(bad=Interrupts(), good=1)
    assert context.reported["good"] == 1


class Evil:
    def __float__(self) -> float:
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ((3, 4, "a"), (3.0, 4.0, "a")),
        ((3,), (3.0, None, "")),
        ((float("nan"), float("inf")), (None, None, "")),
        ((Decimal("1.5"), Fraction(5, 2)), (1.5, 2.5, "")),
        ((10**400, -(10**400)), (None, None, "")),
        ((-1, 0), (-1.0, None, "")),
        ((1, -5), (1.0, None, "")),
        (("3", b"4"), (None, 4.0, "")),
        ((True, None, None), (None, None, "")),
        ((Evil(), Evil(), Interrupts()), (None, None, "")),
        ((1, 2, 7), (1.0, 2.0, "7")),
        ((1, 2, "a\0\n\ud800"), (1.0, 2.0, "a\N{SYMBOL FOR NULL}\\n?")),
        ((1, 2, "x" * 300), (1.0, 2.0, "x" * 98 + "..." + "x" * 99)),
    ],
)
def test_progress_is_kept_as_far_as_it_is_one(given: Any, kept: Any) -> None:
    context = JobContext(job_name="a", run_id=1, scheduled_for=T0)
    context.progress(*given)
    assert context.last_progress == Progress(*kept)
    assert read_progress(json.loads(json.dumps(stored_progress(context.last_progress)))) == kept


@pytest.mark.parametrize("spoilt", [None, (1, 2, ""), "x"])
def test_what_is_no_progress_is_stored_as_none(spoilt: object) -> None:
    assert stored_progress(spoilt) is None


def test_last_progress_of_many_threads_is_one_that_was_given() -> None:
    context = JobContext(job_name="a", run_id=1, scheduled_for=T0)

    def count(thread: int) -> None:
        for number in range(2_000):
            context.progress(number, thread + 1, str(thread))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count, range(8)))
    last = context.last_progress
    assert last is not None
    assert last.total == float(last.text) + 1
