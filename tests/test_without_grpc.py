"""Where gRPC is not installed: the scheduler runs, and the command line asks the database."""

import subprocess
import sys
from collections.abc import Callable

import pytest
from django.core.management import CommandError, call_command

from scheduler_app.engine.scheduler import Scheduler
from scheduler_app.management.commands.runscheduler import NoServer, _bind
from scheduler_app.models import Job
from scheduler_app.rpc import endpoint
from scheduler_app.rpc.endpoint import AddressError, CallError, has_grpc
from tests.harness import ROOT

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def no_grpc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "PACKAGES", ("grpc", "grpc_that_is_not_installed"))


def test_scheduler_has_no_server() -> None:
    assert not has_grpc()
    assert isinstance(_bind(None, False, Scheduler()), NoServer)


def test_address_to_serve_at_is_refused() -> None:
    with pytest.raises(AddressError, match=r"127.0.0.1:50051: gRPC is not installed \(pip install"):
        _bind("127.0.0.1:50051", False, Scheduler())


def test_server_of_its_own_is_refused() -> None:
    with pytest.raises(CommandError, match="gRPC is not installed"):
        call_command("grpcrunserver")


def test_command_line_asks_the_database(
    capsys: pytest.CaptureFixture[str], make_job: Callable[..., Job]
) -> None:
    make_job("nightly")
    call_command("scheduler", "pause", "nightly")
    out, error = capsys.readouterr()
    assert out == "Job 'nightly' paused.\n"
    assert error.startswith("gRPC is not installed (pip install 'django-memory-scheduler[grpc]').")
    assert "This is from the database" in error


def test_server_on_another_machine_cannot_be_asked() -> None:
    with pytest.raises((CommandError, CallError), match="gRPC is not installed"):
        call_command("scheduler", "--endpoint", "scheduler.example:50051", "status")


COMMANDS = """
import sys
sys.modules.update(dict.fromkeys(["grpc", "google.protobuf", "grpc_health"]))
from scheduler_app.management.commands import grpcrunserver, runscheduler, scheduler
"""


def test_commands_import_nothing_of_it() -> None:
    """None in sys.modules has an import of that name fail."""
    setup = f"import django; django.setup()\n{COMMANDS}"
    subprocess.run([sys.executable, "-c", setup], cwd=ROOT, check=True)
