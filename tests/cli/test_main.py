"""schedulerctl: a client alone, on a machine without Django."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from scheduler_app.cli.main import main
from scheduler_app.control import Actor, tokens
from scheduler_app.models import AuditEntry, Job, Scope, Surface
from scheduler_app.rpc.server import Server
from tests.harness import ROOT
from tests.rpc.conftest import serve

__all__ = ["serve"]

pytestmark = pytest.mark.django_db(transaction=True)
MakeJob = Callable[..., Job]
ADA = Actor("ada", Surface.CODE)


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("ENDPOINT", "TOKEN", "CA", "CERT", "KEY", "CONFIG"):
        monkeypatch.delenv(f"SCHEDULER_{name}", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def configured(serve: Callable[..., Server], settings: Any, tmp_path: Path) -> Path:
    """A file with a server, and with ada's token for it."""
    settings.SCHEDULER = {}
    ada = User.objects.create_superuser("ada")
    _, token = tokens.create(ada, [Scope.VIEW, Scope.CONTROL], by=ADA)
    path = tmp_path / ".config" / "schedulerctl.toml"
    path.parent.mkdir()
    path.write_text(f'endpoint = "{serve().address}"\ntoken = "{token}"\n')
    return path


def test_it_imports_no_django() -> None:
    code = (
        "import sys; from scheduler_app.cli import main; from scheduler_app.rpc import client; "
        "sys.exit(bool({'django', 'apscheduler'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_file_says_where_the_server_is_and_who_calls(
    configured: Path, make_job: MakeJob, capsys: pytest.CaptureFixture[str]
) -> None:
    make_job("nightly")
    assert main(["pause", "nightly"]) == 0
    assert capsys.readouterr().out == "Job 'nightly' paused.\n"
    assert AuditEntry.objects.latest("pk").actor == "ada"
    assert main(["run", "nightly"]) == 4
    assert capsys.readouterr().err == "schedulerctl: The token of ada lacks the scope run.\n"
    assert main(["pause", "nihgtly"]) == 1
    assert "Did you mean nightly?" in capsys.readouterr().err


def test_command_line_comes_before_environment_before_file(
    configured: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SCHEDULER_ENDPOINT", "127.0.0.1:1")
    assert main(["list"]) == 3
    assert "127.0.0.1:1" in capsys.readouterr().err
    assert main(["--endpoint", "127.0.0.1:2", "list"]) == 3
    assert "127.0.0.1:2" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["endpoint = ", "endpont = 'x'", "token = 1", "\xff"])
def test_file_that_cannot_be_used_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    path = tmp_path / "chosen.toml"
    path.write_bytes(text.encode("latin-1"))
    monkeypatch.setenv("SCHEDULER_CONFIG", str(path))
    with pytest.raises(SystemExit) as caught:
        main(["list"])
    assert caught.value.code == 2
    assert str(path) in capsys.readouterr().err


def test_bad_endpoint_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--endpoint", "host", "list"]) == 2
    assert "Bad endpoint 'host'" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(("into", "code"), [(">&-", 0), ("> /dev/full", 1)])
def test_output_that_cannot_be_written_is_no_traceback(
    configured: Path, make_job: MakeJob, into: str, code: int
) -> None:
    make_job("nightly")
    command = f"{sys.executable} -m scheduler_app.cli.main list {into}"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["sh", "-c", command], env=env, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == code
    assert "Traceback" not in done.stderr
