"""The verdict finds each kind of untruth in rows and accounts made up for it."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.soak.account import Entry
from tests.soak.declared import JOBS
from tests.soak.ledger import Row
from tests.soak.timeline import Fault, Timeline
from tests.soak.verdict import Verdict
from tests.soak.violations import Violations

BEGIN = datetime(2026, 3, 1, 12, 0, tzinfo=UTC).timestamp()
JOB = "all-2"  # every five seconds, must run


def row(at: float, key: int = 1, **others: Any) -> Row:
    values: dict[str, Any] = {
        "id": key, "job": JOB, "trigger": "schedule", "attempt": 1, "state": "success",
        "scheduled_for": BEGIN + at, "first": BEGIN + at, "due_at": BEGIN + at, "occurrences": 1,
        "started_at": BEGIN + at, "finished_at": BEGIN + at + 1, "message": "",
    }  # fmt: skip
    return Row(**(values | others))


def entries(at: float, run: int = 1, right: str = "ok") -> list[Entry]:
    moment = datetime.fromtimestamp(BEGIN + at, UTC)
    return [
        Entry(what, JOB, moment, 1, run, "0.1", 99, BEGIN + at, "-") for what in ("begin", right)
    ]


@pytest.fixture
def found() -> Violations:
    return Violations()


@pytest.fixture
def judge(found: Violations, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Judge these rows and entries over ten seconds; give the kinds of violations."""
    only = [job for job in JOBS if job.name == JOB]
    monkeypatch.setattr("tests.soak.verdict.JOBS", only)

    def _judge(rows: list[Row], accounts: list[Entry], *faults: Fault) -> Counter[str]:
        timeline = Timeline(list(faults))
        Verdict(rows, accounts, timeline, found, (BEGIN, BEGIN + 10)).find(Counter())
        return found.count()

    return _judge


GOOD = [*entries(5, 1), *entries(10, 2)]


def fault(category: str, target: str) -> Fault:
    return Fault(category, category, target, BEGIN + 4, BEGIN + 6)


def test_ledger_and_account_that_agree_are_clean(judge: Any) -> None:
    assert judge([row(5), row(10, 2)], GOOD) == {}


def test_occurrence_without_a_row_is_lost(judge: Any) -> None:
    assert judge([row(5)], entries(5)) == {"lost": 1}


def test_occurrence_of_a_spoilt_job_is_excused(judge: Any) -> None:
    assert judge([row(10, 2)], entries(10, 2), fault("spoil", JOB)) == {}


def test_two_rows_of_one_occurrence_are_doubled(judge: Any) -> None:
    rows = [row(5), row(10, 2), row(10, 3, state="failed")]
    assert judge(rows, [*GOOD, *entries(10, 3, "bad")])["doubled"] == 2  # the account has it, too


def test_run_that_begins_twice_is_doubled(judge: Any) -> None:
    assert judge([row(5), row(10, 2)], [*GOOD, *entries(10, 2)]) == {"doubled": 1}


def test_run_that_began_without_a_row_is_hidden(judge: Any) -> None:
    assert judge([row(5), row(10, 2)], [*GOOD, *entries(2, 7)]) == {"hidden": 1}


def test_row_that_has_too_many_occurrences_is_miscounted(judge: Any) -> None:
    assert judge([row(5), row(10, 2, occurrences=2)], GOOD) == {"miscounted": 1}


def test_missed_row_of_a_job_that_must_run_is_found(judge: Any) -> None:
    rows = [row(5), row(10, 2, state="missed", started_at=None)]
    assert judge(rows, entries(5)) == {"must run, did not": 1}


def test_success_of_a_run_that_never_began_is_untrue(judge: Any) -> None:
    assert judge([row(5), row(10, 2)], entries(5)) == {"untrue outcome": 1}


def test_failure_of_a_function_that_ended_well_is_untrue(judge: Any) -> None:
    assert judge([row(5), row(10, 2, state="failed")], GOOD) == {"untrue outcome": 1}


def test_lost_run_of_a_node_that_lived_is_unexplained(judge: Any) -> None:
    assert judge([row(5, state="lost"), row(10, 2)], GOOD) == {"LOST unexplained": 1}


def test_lost_run_of_a_killed_node_is_explained(judge: Any) -> None:
    assert judge([row(5, state="lost"), row(10, 2)], GOOD, fault("kill", "0.1")) == {}
