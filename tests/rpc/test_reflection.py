"""The API from a stock reflection client, npm's grpc-reflection-js, which has no file of ours."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scheduler_app.models import Job
from scheduler_app.rpc.server import Server
from scheduler_app.rpc.stubs import memory_pb2 as pb

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
MakeJob = Callable[..., Job]
SERVICE = pb.DESCRIPTOR.services_by_name["MemoryService"]


def test_reflection_alone_suffices_for_a_call(
    node: Path, serve: Callable[..., Server], make_job: MakeJob
) -> None:
    make_job("nightly", run_count=7)
    done = subprocess.run(
        ["node", "reflect.js", serve().address],
        cwd=node, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert {"memory.MemoryService", "grpc.health.v1.Health"} <= set(told["services"])
    assert told["calls"] == [method.name for method in SERVICE.methods]
    assert told["status"]["state"] == "STOPPED"
    (job,) = told["status"]["jobs"]
    assert (job["job_name"], job["run_count"]) == ("nightly", 7)
