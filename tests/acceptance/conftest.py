"""A site of its own for each test: a fresh database, and real processes on it."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings

ROOT = Path(__file__).resolve().parent.parent.parent


def eventually(look: Callable[[], Any], seconds: float = 20) -> Any:
    """What `look` gives, as soon as it is true."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)
    return found


class Daemon:
    """A started `manage.py` command, ready to serve."""

    def __init__(self, env: dict[str, str], *command: str, log: Path) -> None:
        self._log = log
        self._seen = log.stat().st_size if log.exists() else 0
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", *command], cwd=ROOT, env=env, stdout=output,
                stderr=subprocess.STDOUT,
            )  # fmt: skip
        pattern = re.compile(r"gRPC at 127\.0\.0\.1:(\d+)")
        self.port = int(eventually(lambda: self._is_up() and pattern.search(self.output()))[1])

    def _is_up(self) -> bool:
        assert self.process.poll() is None, self.output()
        return True

    def output(self) -> str:
        return self._log.read_bytes()[self._seen :].decode()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.terminate()
        return self.process.wait(timeout=40)


class Site:
    """A project with a database of its own."""

    def __init__(self, database_url: str, query: Callable[[str], list[Any]], folder: Path) -> None:
        self.rows = query
        self._log = folder / "daemons.log"
        self._daemons: list[Daemon] = []
        self.env = os.environ | {
            "DATABASE_URL": database_url,
            "DJANGO_SETTINGS_MODULE": "tests.acceptance.settings",
            "SECRET_KEY": "for tests only",
            "NIGHT_JOBS": "",
            "PYTHONUNBUFFERED": "1",
        }
        self.manage("migrate", "--verbosity=0")

    def manage(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *command], cwd=ROOT, env=self.env, text=True,
            capture_output=True, timeout=60, check=False,
        )  # fmt: skip

    def start(self, command: str = "runscheduler", jobs: str | None = None) -> Daemon:
        """Start a daemon whose code declares these jobs (by default those of the last start)."""
        if jobs is not None:
            self.env["NIGHT_JOBS"] = jobs
        self._daemons.append(Daemon(self.env, command, "127.0.0.1:0", log=self._log))
        return self._daemons[-1]

    def cli(self, daemon: Daemon, *command: str) -> subprocess.CompletedProcess[str]:
        return self.manage("scheduler", "--endpoint", f"127.0.0.1:{daemon.port}", *command)

    def status(self, daemon: Daemon) -> dict[str, Any]:
        """`scheduler status --json`, with the jobs by name."""
        status: dict[str, Any] = json.loads(self.cli(daemon, "status", "--json").stdout)
        return status | {"jobs": {job["job_name"]: job for job in status["jobs"]}}

    def trigger(self, name: str) -> None:
        code = (
            "from scheduler_app import control; from scheduler_app.control import Actor; "
            "from scheduler_app.models import Surface; "
            f"control.trigger({name!r}, by=Actor('test', Surface.CODE))"
        )
        done = self.manage("shell", "-c", code)
        assert done.returncode == 0, done.stderr

    def runs(self, name: str, columns: str = "state") -> list[Any]:
        return self.rows(
            f"SELECT {columns} FROM scheduler_app_jobrun WHERE job_name = '{name}' ORDER BY id"
        )

    def states(self, name: str) -> list[str]:
        return [row[0] for row in self.runs(name)]

    def close(self) -> None:
        for daemon in self._daemons:
            if daemon.process.poll() is None:
                daemon.kill()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    if settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
        site = Site(f"sqlite:///{tmp_path}/site.sqlite3", _ask_sqlite(tmp_path), tmp_path)
        yield site
        site.close()
        return
    server = os.environ["DATABASE_URL"]
    name = f"site_{uuid.uuid4().hex}"
    url = f"{server.rsplit('/', 1)[0]}/{name}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        site = Site(url, _ask_postgres(url), tmp_path)
        yield site
        site.close()
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _ask_postgres(url: str) -> Callable[[str], list[Any]]:
    def ask(query: str) -> list[Any]:
        with psycopg.connect(url) as connection:
            return connection.execute(query.encode()).fetchall()

    return ask


def _ask_sqlite(folder: Path) -> Callable[[str], list[Any]]:
    def ask(query: str) -> list[Any]:
        connection = sqlite3.connect(folder / "site.sqlite3", timeout=20)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()

    return ask
