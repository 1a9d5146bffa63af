"""manage.py scheduler audit-ledger and explain, without any server."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.utils import timezone

from scheduler_app.engine.claim import Claimer
from scheduler_app.management import ledger
from scheduler_app.models import JobRun, Node, RunState
from tests.engine.conftest import T0, declare, early, node, registry, set_clock, start

__all__ = ["declare", "early", "node", "registry", "set_clock", "start"]

Call = Callable[..., str]
MINUTE = timedelta(minutes=1)
pytestmark = pytest.mark.usefixtures("early")


@pytest.fixture
def call(
    declare: Callable[..., None],
    start: Callable[..., Claimer],
    capsys: pytest.CaptureFixture[str],
) -> Call:
    """Job a, of every minute, has run at T0 and was skipped twice since."""
    declare("a")
    claimer = start()
    for minute in range(3):
        claimer.claim(T0 + minute * MINUTE)
    moments = {"started_at": T0, "finished_at": T0}
    JobRun.objects.filter(scheduled_for=T0).update(state=RunState.FAILED, **moments)

    def _call(*command: str) -> str:
        call_command("scheduler", *command)
        return capsys.readouterr().out

    return _call


def lose_one() -> None:
    JobRun.objects.filter(scheduled_for=T0 + MINUTE).delete()


def test_clean_ledger_ends_with_its_sum(call: Call) -> None:
    assert call("audit-ledger", "--since", "2026-03-02") == (
        "1 job, 3 occurrences = 1 runs + 2 skipped + 0 missed + 0 paused + 0 orphaned + "
        "0 unaccounted; no discrepancy\n"
    )


def test_discrepancy_as_json_is_an_object_a_line(
    call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    lose_one()
    with pytest.raises(SystemExit):
        call("audit-ledger", "--since", "2026-03-02", "--json")
    out, err = capsys.readouterr()
    found = [json.loads(line) for line in out.splitlines()]
    assert found
    assert all(set(each) == {"job_name", "kind", "text", "time", "occurrences"} for each in found)
    assert "incomplete" in {each["kind"] for each in found}
    assert "1 job, " in err


def test_discrepancy_is_a_line_and_an_exit_code(
    call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    lose_one()
    with pytest.raises(SystemExit) as exit_:
        call("audit-ledger", "--since", "2026-03-02")
    assert exit_.value.code == 1
    line, total = capsys.readouterr().out.splitlines()
    assert (
        line == "a 2026-03-02 12:01:00+00:00: history incomplete: no row is left of this occurrence"
    )
    assert total.endswith("1 unaccounted; 1 discrepancy")


@pytest.mark.parametrize(
    "bounds",
    [
        ["--since", "2026-03-02T12:02"],
        ["--since=2026-03-02 12:02:00+00:00", "--until=2026-03-02T13:02:30+01:00"],
        ["--since", "2026-03-01", "--until", "2026-03-02T12:01Z"],
        ["--until", "2026-03-02", "--job", "a"],
    ],
)
def test_bounds_leave_out_what_lies_outside(call: Call, bounds: list[str]) -> None:
    lose_one()
    assert "no discrepancy" in call("audit-ledger", *bounds)


def test_bound_without_a_zone_is_in_the_projects(call: Call) -> None:
    lose_one()
    with timezone.override("Europe/Berlin"):
        assert "no discrepancy" in call("audit-ledger", "--since", "2026-03-02T13:02")
        with pytest.raises(SystemExit):
            call("audit-ledger", "--since", "2026-03-02T13:01")


def test_audit_says_that_no_scheduler_runs(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    Node.objects.all().delete()
    assert "no discrepancy" in call("audit-ledger", "--since", "2026-03-02")
    call_command("scheduler", "audit-ledger", "--since", "2026-03-02")
    assert capsys.readouterr().err == "Scheduler: STOPPED\n"
    Node.objects.create(name="here:1")
    call_command("scheduler", "audit-ledger", "--since", "2026-03-02")
    assert capsys.readouterr().err == ""


def test_audit_agrees_although_the_heartbeats_cannot_be_read(
    call: Call, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise OperationalError("secret")

    monkeypatch.setattr(ledger, "scheduler_health", refuse)
    call_command("scheduler", "audit-ledger", "--since", "2026-03-02")
    written = capsys.readouterr()
    assert written.out.endswith("no discrepancy\n")
    assert written.err == "Scheduler: unknown: The database does not answer.\n"


def test_explain_tells_what_became_of_it(call: Call) -> None:
    run = JobRun.objects.get(scheduled_for=T0)
    assert call("explain", "a", "2026-03-02T12:01").startswith(
        f"a 2026-03-02 12:01:00 UTC: did not run. Skipped: run {run.pk} had not ended (run"
    )


def test_error_cannot_control_the_terminal(call: Call) -> None:
    JobRun.objects.filter(scheduled_for=T0).update(message="\x1b[31mred")
    assert r"\x1b[31mred" in call("explain", "a", "2026-03-02 12:00:00")


@pytest.mark.parametrize(
    "command",
    [["explain", "a", "noon"], ["audit-ledger", "--since", "noon"], ["runs", "--since", "noon"]],
)
def test_bad_time_is_named(call: Call, command: list[str]) -> None:
    with pytest.raises(CommandError, match=r"'noon' is not a time,? such as"):
        call(*command)


@pytest.mark.parametrize(
    "command",
    [["explain", "nope", "2026-03-02"], ["audit-ledger", "--job", "a", "nope"]],
)
def test_unknown_job_is_named(call: Call, command: list[str]) -> None:
    with pytest.raises(CommandError, match="Job not found: nope"):
        call(*command)
