"""What every reading command says: as JSON, of a job that is not there, and by its exit code."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.utils import timezone

from scheduler_app.models import Heartbeat, Job, JobRun, Node, RunState
from scheduler_app.rpc.door import Direct
from scheduler_app.rpc.server import Server
from scheduler_app.rpc.stubs import memory_pb2 as pb
from tests.rpc.conftest import serve

__all__ = ["serve"]

pytestmark = pytest.mark.django_db(transaction=True)
MakeJob = Callable[..., Job]
OBJECTS = [
    ("status", {*pb.GetSchedulerStatusResponse.DESCRIPTOR.fields_by_name, "source"}),
    ("list", set(pb.JobStatusProto.DESCRIPTOR.fields_by_name)),
    ("show nightly", set(pb.JobStatusProto.DESCRIPTOR.fields_by_name)),
    ("runs", set(pb.Run.DESCRIPTOR.fields_by_name)),
    ("logs 7", set(pb.Run.DESCRIPTOR.fields_by_name)),
    ("audit", set(pb.AuditEvent.DESCRIPTOR.fields_by_name)),
    ("next 2d", {"due_time", "job_name", "note", "more"}),
    ("nodes", set(pb.Node.DESCRIPTOR.fields_by_name)),
    ("explain nightly 2026-11-24T01:00", set(pb.ExplainRunResponse.DESCRIPTOR.fields_by_name)),
    ("preview @daily", set(pb.PreviewScheduleResponse.DESCRIPTOR.fields_by_name)),
]
"""The keys of what each prints."""


def code(*words: str) -> int:
    try:
        call_command("scheduler", *words)
    except CommandError as error:
        return error.returncode
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@pytest.fixture(params=["server", "database"])
def nightly(
    make_job: MakeJob,
    serve: Callable[..., Server],
    monkeypatch: pytest.MonkeyPatch,
    settings: Any,
    request: pytest.FixtureRequest,
) -> None:
    """A job with a run, of which a server tells or, where none is, the database."""
    settings.SCHEDULER = {"loopback_control": True}
    if request.param == "server":
        monkeypatch.setenv("SCHEDULER_ENDPOINT", serve().address)
    make_job("nightly")
    now = timezone.now()
    JobRun.objects.create(
        pk=7, job_name="nightly", scheduled_for=now, due_at=now, state=RunState.QUEUED
    )
    Heartbeat.objects.create(node=Node.objects.create(name="here:1"))
    call_command("scheduler", "pause", "nightly")
    call_command("scheduler", "resume", "nightly")


@pytest.mark.parametrize(("command", "keys"), OBJECTS)
def test_json_has_the_documented_keys(
    nightly: None, capsys: pytest.CaptureFixture[str], command: str, keys: set[str]
) -> None:
    capsys.readouterr()
    words = [word for word in command.split(" ") if word]
    call_command("scheduler", *words, "--json")
    printed = capsys.readouterr().out
    lines = [printed] if command == "status" else printed.splitlines()
    assert lines
    assert all(set(json.loads(line)) == keys for line in lines)


def test_health_is_one_object(nightly: None, capsys: pytest.CaptureFixture[str]) -> None:
    for wanted, state in ((0, "RUNNING"), (1, "STOPPED")):
        capsys.readouterr()
        assert code("health", "--json") == wanted
        told: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert set(told) == {"healthy", "state", "problem", "lag", "late_job"}
        assert (told["healthy"], told["state"], told["lag"]) == (wanted == 0, state, 0)
        Node.objects.all().delete()


@pytest.mark.parametrize(
    "command",
    ["show {}", "runs {}", "audit {}", "watch {}", "explain {} 01:00", "preview --job {}"],
)
def test_job_that_is_not_there_is_refused(nightly: None, command: str) -> None:
    with pytest.raises(
        CommandError, match=r"not found: nihgtly\. Did you mean nightly\?$"
    ) as caught:
        call_command("scheduler", *command.format("nihgtly").split())
    assert caught.value.returncode == 1


def test_audit_of_a_deleted_job_is_shown(nightly: None, capsys: pytest.CaptureFixture[str]) -> None:
    Job.objects.all().delete()
    call_command("scheduler", "audit", "nightly")
    assert "resume" in capsys.readouterr().out


def test_bad_endpoint_is_a_wrong_command_line(tmp_path: Path) -> None:
    assert code("--endpoint", "host", "list") == 2
    missing = str(tmp_path / "none.pem")
    assert code("--endpoint", "https://127.0.0.1:1", "--ca", missing, "list") == 2


def test_database_that_does_not_answer_is_not_reachable(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(Direct, "call", away)
    assert code("--endpoint", "127.0.0.1:1", "list") == 3


def test_chosen_file_says_where_the_server_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "chosen.toml"
    path.write_text('endpoint = "10.0.0.1"\n')
    monkeypatch.delenv("SCHEDULER_ENDPOINT")
    monkeypatch.setenv("SCHEDULER_CONFIG", str(path))
    with pytest.raises(CommandError, match=r"Bad endpoint '10\.0\.0\.1'"):
        call_command("scheduler", "list")
