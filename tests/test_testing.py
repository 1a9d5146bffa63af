"""What a project's tests use."""

import asyncio
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.utils import timezone, translation

from scheduler_app import testing
from scheduler_app.exceptions import JobNotFound
from scheduler_app.registry import JobContext, Registry, job
from scheduler_app.testing import assert_fires, fires, run_job

Function = Callable[..., Any]
Declare = Callable[..., Callable[[Function], Function]]
pytest_plugins = ["scheduler_app.pytest_plugin"]


@pytest.fixture
def declare(monkeypatch: pytest.MonkeyPatch) -> Declare:
    """The decorator @job, for a registry of the test's own."""
    registry = Registry()
    monkeypatch.setattr(testing, "registry", registry)

    def _declare(cron: str = "0 1 * * *", **options: Any) -> Callable[[Function], Function]:
        options = {"timezone": "Europe/Berlin"} | options
        return job(cron=cron, registry=registry, **options)

    return _declare


def test_outcome_is_what_the_ledger_would_keep(declare: Declare) -> None:
    @declare()
    def nightly_report(context: JobContext) -> dict[str, object]:
        context.report(done=1, day=context.scheduled_for)
        return {"rows": 3}

    at = datetime(2026, 3, 2, tzinfo=UTC)
    result = run_job("nightly-report", scheduled_for=at)
    assert (result.state, result.message) == ("success", "")
    assert result.metadata == {"done": 1, "day": "2026-03-02 00:00:00+00:00", "rows": 3}
    assert run_job(nightly_report, scheduled_for=at) == result


def test_frozen_clock_is_that_of_the_run(declare: Declare) -> None:
    @declare()
    def dated(context: JobContext) -> dict[str, object]:
        return {"now": timezone.now(), "due": context.scheduled_for}

    moment = datetime(2026, 3, 2, tzinfo=UTC)
    told = "2026-03-02 00:00:00+00:00"
    assert run_job("dated", freeze=moment).metadata == {"now": told, "due": told}
    assert timezone.now() > moment


def test_what_a_job_raises_is_in_the_result(declare: Declare) -> None:
    @declare()
    def fails() -> None:
        raise ValueError("no rows")

    result = run_job("fails")
    assert (result.state, result.message) == ("failed", "ValueError: no rows")
    assert "in fails" in result.traceback


def test_exit_with_zero_is_success(declare: Declare) -> None:
    declare(name="exits")(lambda: sys.exit(0))
    assert run_job("exits").state == "success"


def test_job_sees_that_it_was_cancelled(declare: Declare) -> None:
    @declare()
    def looks(context: JobContext) -> dict[str, object]:
        return {"cancelled": context.cancelled, "attempt": context.attempt}

    assert run_job("looks").metadata == {"cancelled": False, "attempt": 1}
    cancelled = run_job("looks", cancel=True, attempt=2)
    assert cancelled.metadata == {"cancelled": True, "attempt": 2}


def test_job_works_in_the_transaction_of_the_test(
    declare: Declare, run_job: Callable[..., testing.Result]
) -> None:
    """The fixture of the plugin."""

    @declare()
    def adds() -> dict[str, int]:
        Group.objects.create(name="late")
        return {"groups": Group.objects.count()}

    @declare()
    async def counts() -> dict[str, int]:
        await asyncio.sleep(0)
        return {"groups": await Group.objects.acount()}

    Group.objects.create(name="early")
    assert run_job("adds").metadata == {"groups": 2}
    assert run_job("counts").metadata == {"groups": 2}
    assert connection.in_atomic_block


def test_language_of_a_job_stays_with_it(declare: Declare) -> None:
    declare(name="speaks")(lambda: translation.activate("de"))
    before = translation.get_language()
    run_job("speaks")
    assert translation.get_language() == before


def test_unknown_job_is_named(declare: Declare) -> None:
    with pytest.raises(JobNotFound, match="nightly"):
        run_job("nightly")
    with pytest.raises(JobNotFound, match="print"):
        run_job(print)


def test_fires_are_on_the_wall_of_the_job_s_zone(declare: Declare) -> None:
    declare("30 2 * * *", name="early")(print)
    found = [fire.isoformat() for fire in fires("early", "2026-03-28", "2026-03-31")]
    assert found == [
        "2026-03-28T02:30:00+01:00",
        "2026-03-29T03:00:00+02:00",  # the clock skips 02:30
        "2026-03-30T02:30:00+02:00",
    ]
    assert fires("early", datetime(2026, 3, 28, 1, 30, tzinfo=UTC), "2026-03-29") == [
        datetime(2026, 3, 28, 1, 30, tzinfo=UTC)
    ]


def test_fires_are_asserted(declare: Declare) -> None:
    declare("0 1 * * MON-SAT", name="nightly")(print)
    nights = ["2026-03-28 01:00", "2026-03-30 01:00"]
    assert_fires("nightly", "2026-03-28", "2026-03-31", nights)
    with pytest.raises(AssertionError) as raised:
        assert_fires(
            "nightly", "2026-03-28", "2026-03-31", ["2026-03-28 01:00", "2026-03-29 01:00"]
        )
    assert str(raised.value) == (
        "it fires at: 2026-03-30 01:00:00+02:00; it does not fire at: 2026-03-29 01:00:00+01:00"
    )
    with pytest.raises(AssertionError, match="not in order"):
        assert_fires("nightly", "2026-03-28", "2026-03-31", reversed(nights))


def test_moment_that_is_none_is_an_error(declare: Declare) -> None:
    declare(name="nightly")(print)
    with pytest.raises(ValueError, match="yesterday"):
        fires("nightly", "yesterday", "2026-03-31")
