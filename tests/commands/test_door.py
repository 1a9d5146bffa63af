"""manage.py scheduler without a server, and with one that hangs."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from scheduler_app import status
from scheduler_app.models import (
    AuditEntry,
    Heartbeat,
    Job,
    JobRun,
    Node,
    RunState,
    timetable_rows,
)
from scheduler_app.rpc import client
from scheduler_app.text import Clock

pytestmark = pytest.mark.django_db(transaction=True)
MakeJob = Callable[..., Job]
NOW = timezone.now()
LABEL = "No server answers at 127.0.0.1:1. Start one with: manage.py runscheduler. This is from the"
Call = Callable[..., tuple[str, str]]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Standard output and error of the command, at an endpoint where no server is."""

    def _call(*command: str, endpoint: str = "127.0.0.1:1") -> tuple[str, str]:
        call_command("scheduler", "--endpoint", endpoint, *command)
        return capsys.readouterr()

    return _call


def dead_node(**fields: object) -> Node:
    node = Node.objects.create(name="here:7", started_at=NOW - timedelta(hours=2), **fields)
    Heartbeat.objects.create(node=node, at=NOW - timedelta(hours=1))
    return node


def test_status_comes_from_the_database_and_says_so(call: Call, make_job: MakeJob) -> None:
    make_job("nightly")
    out, _ = call("status")
    label, scheduler, _, header, *_ = out.splitlines()
    assert label.startswith(LABEL)
    assert scheduler == "Scheduler: STOPPED"
    assert header.startswith("JOB")


def test_status_says_since_when_all_are_dead(call: Call) -> None:
    dead_node()
    since = (NOW - timedelta(hours=1)).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
    out, _ = call("status")
    assert f"Scheduler: STOPPED since {since}: no heartbeat of here:7" in out


@pytest.mark.parametrize("why", ["every claim fails: x", "no outcome can be recorded: x"])
def test_status_says_that_a_living_scheduler_does_not_work(call: Call, why: str) -> None:
    node = Node.objects.create(name="here:8")
    since = (NOW - timedelta(minutes=3)).replace(microsecond=0)
    Heartbeat.objects.create(node=node, problem=why, problem_since=since)
    words = status.scheduler_health().words(Clock(timezone.get_default_timezone()))
    assert words == f"NOT WORKING since {since:%Y-%m-%d %H:%M:%S} UTC: {why}"
    assert call("status")[0].splitlines()[1] == f"Scheduler: {words}"
    told = json.loads(call("status", "--json")[0])
    assert (told["scheduler_running"], told["state"], told["problem"]) == (
        False,
        "NOT WORKING",
        why,
    )
    assert told["since_ms"] == since.timestamp() * 1000
    assert told["nodes"] == [{"name": "here:8", "well": False, "problem": why}]


def test_run_of_a_dead_scheduler_is_not_running(call: Call, make_job: MakeJob) -> None:
    make_job("nightly")
    run = JobRun.objects.create(
        job_name="nightly", scheduled_for=NOW, due_at=NOW, state=RunState.RUNNING,
        started_at=NOW, node=dead_node(),
    )  # fmt: skip
    out, _ = call("status")
    assert "nightly              INTERRUPTED" in out
    assert f"    run {run.pk} was running when here:7 died, last heard of at " in out
    told = json.loads(call("status", "--json")[0])
    assert told["source"] == "database"
    [job] = told["jobs"]
    assert (job["state"], job["is_running"], job["running_run_ids"]) == ("INTERRUPTED", False, [])
    [interrupted] = job["interrupted_runs"]
    assert (interrupted["run_id"], interrupted["node"]) == (run.pk, "here:7")


def test_job_that_nobody_claims_is_overdue(call: Call, make_job: MakeJob) -> None:
    make_job("nightly")
    due_at = (NOW - timedelta(hours=3)).replace(microsecond=0)
    timetable_rows().update(next_run_time=due_at)
    out, _ = call("status")
    assert "nightly              OVERDUE" in out
    words = f"    due since {due_at:%Y-%m-%d %H:%M:%S} UTC, and no scheduler has claimed it\n"
    assert words in out
    assert json.loads(call("status", "--json")[0])["jobs"][0]["state"] == "OVERDUE"


def test_actions_work_without_a_server_and_say_so(call: Call, make_job: MakeJob) -> None:
    make_job("nightly")
    for action, done in (
        ("pause", "Job 'nightly' paused.\n"),
        ("resume", "Job 'nightly' resumed.\n"),
    ):
        out, error = call(action, "nightly")
        assert out == done
        assert error.startswith(LABEL)
    run = JobRun.objects.create(job_name="nightly", scheduled_for=NOW, due_at=NOW)
    assert call("cancel", str(run.pk), "--reason=no")[0] == f"Run {run.pk} cancelled.\n"
    entries = AuditEntry.objects.order_by("id")
    assert [entry.action for entry in entries] == ["pause", "resume", "cancel"]
    assert {entry.surface for entry in entries} == {"cli"}


def test_unknown_job_without_a_server_fails(call: Call) -> None:
    with pytest.raises(CommandError, match="Failed to pause 'nope': Job not found: nope"):
        call("pause", "nope")


def test_silence_of_another_machine_changes_nothing_here(
    call: Call, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_job("nightly")
    monkeypatch.setattr(client, "DEADLINE", 0.5)
    with pytest.raises(CommandError):
        call("pause", "nightly", endpoint="192.0.2.1:50051")
    assert not Job.objects.paused().exists()


@pytest.fixture
def silent_server() -> Iterator[str]:
    """The address of a process that takes connections and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_server_that_hangs_is_passed_by(
    call: Call, make_job: MakeJob, silent_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_job("nightly")
    monkeypatch.setattr(client, "DEADLINE", 1.0)
    out, error = call("pause", "nightly", endpoint=silent_server)
    assert out == "Job 'nightly' paused.\n"
    assert "did not answer within 1 s. This is from the database" in error


def test_watch_goes_on_without_a_server(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", interrupt)
    assert call("status", "--watch")[0].startswith(LABEL)


def test_names_are_printed_escaped(call: Call, make_job: MakeJob) -> None:
    make_job("a\x1b[31mred")
    assert r"a\x1b[31mred" in call("status")[0]
    assert call("pause", "a\x1b[31mred")[0] == "Job 'a\\x1b[31mred' paused.\n"
    with pytest.raises(CommandError) as caught:
        call("pause", "b\x1b[31mred")
    assert "\x1b" not in str(caught.value)


def test_argument_that_is_no_utf8_is_a_usage_error() -> None:
    """As bytes, which a shell passes on unchanged."""
    command = [sys.executable, "manage.py", "scheduler", "--endpoint", "127.0.0.1:1"]
    env = os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings", "LC_ALL": "C.UTF-8"}
    for arguments in ([b"pause", b"\xff\xfe"], [b"explain", b"\xff", b"2026-01-01"]):
        done = subprocess.run(
            [*map(os.fsencode, command), *arguments], env=env, capture_output=True, check=False
        )
        assert done.returncode not in (0, -signal.SIGABRT)
        assert b"is not valid text" in done.stderr
        assert b"Traceback" not in done.stderr
