"""What `make run` starts, stopped as by Ctrl-C."""

import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

from tests.harness import ROOT, Site, eventually
from tests.harness.cluster import free_port


def _answers(address: str) -> bool:
    """Whether anyone listens there yet; an answer that is an error raises."""
    try:
        with urllib.request.urlopen(address, timeout=20) as page:
            return bool(page.status == 200)
    except urllib.error.URLError as error:
        if isinstance(error.reason, ConnectionRefusedError):
            return False
        raise


def test_web_and_scheduler_start_and_stop_together(site: Site, tmp_path: Path) -> None:
    web_port = free_port()
    site.env |= {
        "WEB_PORT": str(web_port),
        "GRPC_ADDRESS": "127.0.0.1:0",
        "NIGHT_JOBS": "slow",
        "NIGHT_SLOW": "7",
    }
    environment = {key: value for key, value in site.env.items() if key != "PYTHONUNBUFFERED"}
    log = tmp_path / "run.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "memory_project.run"], cwd=ROOT, env=environment,
            stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        eventually(lambda: "is running; gRPC at" in log.read_text(), seconds=30)
        assert re.search(r"Sign in: admin / \S{16}", log.read_text())
        eventually(lambda: _answers(f"http://127.0.0.1:{web_port}/admin/login/"), seconds=30)
        site.trigger("slow")
        eventually(lambda: site.states("slow") == ["running"])

        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
        assert site.states("slow") == ["success"], log.read_text()
    finally:
        if process.poll() is None:
            os.kill(process.pid, signal.SIGTERM)
            process.wait(timeout=60)
