"""The API from a client that we did not write: Node's gRPC, which knows memory.proto alone."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scheduler_app.models import AuditEntry, Job
from scheduler_app.rpc.server import Server
from tests.harness import ROOT

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
MakeJob = Callable[..., Job]


def test_node_calls_and_watches(
    node: Path, serve: Callable[..., Server], make_job: MakeJob
) -> None:
    make_job("nightly")
    proto = str(ROOT / "protos" / "memory.proto")
    command = ["node", "client.js", proto, serve().address]
    done = subprocess.run(
        command, cwd=node, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert [job["job_name"] for job in told["status"]["jobs"]] == ["nightly"]
    assert told["pause"]["success"] is True
    assert (told["job"]["is_paused"], told["job"]["pause_reason"]) == (True, "from Node")
    assert told["unknown"] == {"code": "NOT_FOUND", "text": "Job not found: nope"}
    assert told["run"]["state"] == "RUN_STATE_QUEUED"
    assert [run["run_id"] for run in told["runs"]["runs"]] == [told["run"]["run_id"]]
    assert [event["job"]["job_name"] for event in told["watched"]["events"]] == ["nightly"]
    assert set(AuditEntry.objects.values_list("action", flat=True)) == {"pause", "trigger"}
