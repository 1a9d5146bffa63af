"""A client that has nothing of ours."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from grpc_tools import protoc

from scheduler_app.models import Job
from scheduler_app.rpc.server import Server

HERE = Path(__file__).parent


@pytest.mark.django_db(transaction=True)
def test_client_of_the_seeds_proto_gets_status_pauses_and_resumes(
    serve: Callable[..., Server], make_job: Callable[..., Job], tmp_path: Path
) -> None:
    make_job("nightly")
    out = [f"--python_out={tmp_path}", f"--grpc_python_out={tmp_path}"]
    assert protoc.main(["protoc", f"-I{HERE}", *out, "seed.proto"]) == 0
    command = [sys.executable, str(HERE / "seed_client.py"), str(tmp_path), serve().address]
    # Another folder: nothing of this project can be imported from there.
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.splitlines() == [
        "False [('nightly', False)]",
        "True",
        "False [('nightly', True)]",
        "True",
        "False [('nightly', False)]",
        "Job not found: nope",
    ], done.stderr
