"""What `make demo` starts, stopped as by Ctrl-C."""

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

from tests.harness import ROOT, eventually
from tests.harness.cluster import free_port


def _start(database: Path, port: int, output: Path) -> subprocess.Popen[bytes]:
    environment = os.environ | {
        "WEB_PORT": str(port),
        "GRPC_ADDRESS": "127.0.0.1:0",
        "SECRET_KEY": "for tests only",
        "DEBUG": "true",
    }
    command = [sys.executable, "-m", "memory_project.demo", "--days", "1"]
    with output.open("wb") as file:
        return subprocess.Popen(
            [*command, "--database", str(database)], cwd=ROOT, env=environment,
            stdout=file, stderr=subprocess.STDOUT,
        )  # fmt: skip


def _ask(database: Path, query: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(database, timeout=20) as connection:
        return connection.execute(query).fetchall()


def test_demonstration_has_a_history_and_a_run_that_hangs(tmp_path: Path) -> None:
    database, log = tmp_path / "demo.sqlite3", tmp_path / "log"
    process = _start(database, free_port(), log)
    try:
        eventually(lambda: "is running; gRPC at" in log.read_text(), seconds=120)
        hangs = (
            "SELECT 1 FROM scheduler_app_jobrun WHERE job_name = 'sync-marketplace-prices' "
            "AND state = 'running'"
        )
        eventually(lambda: _ask(database, hangs))
        assert re.search(r"Sign in: admin / \S{16}", log.read_text())
        assert re.search(r"operator / \S{16}\n +viewer / \S{16}\n", log.read_text())
        assert _ask(database, "SELECT count(*) FROM scheduler_app_job") == [(44,)]
        audited = subprocess.run(
            [sys.executable, "manage.py", "scheduler", "audit-ledger"], cwd=ROOT,
            env=os.environ | {
                "DEMO_DATABASE": f"sqlite:///{database}", "SECRET_KEY": "for tests only",
                "DJANGO_SETTINGS_MODULE": "memory_project.demo.settings",
            },
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert audited.returncode == 0, audited.stdout
        assert "no discrepancy" in audited.stdout

        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0, log.read_text()
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(timeout=60)


def test_demonstration_of_another_is_left_alone(tmp_path: Path) -> None:
    database = tmp_path / "demo.sqlite3"
    database.write_text("in use")
    with socket.create_server(("127.0.0.1", 0)) as other:
        process = _start(database, other.getsockname()[1], tmp_path / "log")
        assert process.wait(timeout=60) == 1
    assert "is taken" in (tmp_path / "log").read_text()
    assert database.read_text() == "in use"
