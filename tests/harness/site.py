"""A project on a database of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.harness.daemon import ROOT, Daemon
from tests.harness.databases import Database


class Site:
    """Its commands and daemons run under the settings module that is given."""

    def __init__(self, database: Database, folder: Path, settings: str, **env: str) -> None:
        self.rows = database.ask
        self._log = folder / "daemons.log"
        self._daemons: list[Daemon] = []
        self.env = os.environ | {
            "DATABASE_URL": database.url,
            "DJANGO_SETTINGS_MODULE": settings,
            "SECRET_KEY": "for tests only",
            "NIGHT_JOBS": "",
            "PYTHONUNBUFFERED": "1",
            **env,
        }
        migrated = self.manage("migrate", "--verbosity=0")
        assert migrated.returncode == 0, migrated.stderr

    def manage(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *command], cwd=ROOT, env=self.env, text=True,
            capture_output=True, timeout=60, check=False,
        )  # fmt: skip

    def start(self, command: str = "runscheduler", jobs: str | None = None, **env: str) -> Daemon:
        """Start a daemon whose code declares these jobs (by default those of the last start)."""
        if jobs is not None:
            self.env["NIGHT_JOBS"] = jobs
        self._daemons.append(Daemon(self.env | env, command, "127.0.0.1:0", log=self._new_log()))
        return self._daemons[-1]

    def _new_log(self) -> Path:
        return self._log.with_suffix(f".{len(self._daemons)}.log")

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
