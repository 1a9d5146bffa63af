"""A project in an environment of its own, that installs the built wheel."""

import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.harness import Database, eventually

OURS = """
# ours
INSTALLED_APPS += ["django_apscheduler", "scheduler_app", "shop"]
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
SCHEDULER = {"heartbeat": 1}
"""
POSTGRES = """
DATABASES = {{"default": {{
    "ENGINE": "django.db.backends.postgresql", "NAME": "{name}", "USER": "{user}",
    "PASSWORD": "{password}", "HOST": "{host}", "PORT": "{port}",
}}}}
"""
JOBS = """
from scheduler_app import command_job, job


@job(every="1s", args=["shop"])
def tick(who, context):
    return {"who": who}


command_job("clearsessions", at="2100-01-01")
"""
TESTS = """
from django.test import TestCase
from scheduler_app.testing import assert_fires, run_job


class JobTests(TestCase):
    def test_tick(self):
        self.assertEqual(run_job("tick").metadata, {"who": "shop"})
        seconds = ["2026-03-01 00:00:00", "2026-03-01 00:00:01"]
        assert_fires("tick", "2026-03-01 00:00:00", "2026-03-01 00:00:02", seconds)
"""
ADMIN = """
from django.contrib.auth import get_user_model
from django.test import Client
user = get_user_model().objects.create_superuser("ada")
client = Client(headers={"host": "localhost"})
client.force_login(user)
for page in ("job", "jobrun"):
    answer = client.get(f"/admin/scheduler_app/{page}/")
    print(page, answer.status_code, "tick" in answer.content.decode())
"""


class Project:
    """What `startproject` and `startapp` write, and what the quickstart adds."""

    def __init__(self, folder: Path, interpreter: str, packages: Sequence[str]) -> None:
        self.folder = folder / "site"
        self._bin = folder / "env" / "bin"
        self._env = {
            key: value
            for key, value in os.environ.items()
            if key not in ("PYTHONPATH", "DJANGO_SETTINGS_MODULE", "DATABASE_URL", "VIRTUAL_ENV")
        }
        self._call([interpreter, "-m", "venv", str(folder / "env")], folder)
        quiet = ["--quiet", "--disable-pip-version-check"]
        self._call([str(self._bin / "pip"), "install", *quiet, *packages], folder)
        self.folder.mkdir()
        self._call([str(self._bin / "django-admin"), "startproject", "host", "."], self.folder)
        self.manage("startapp", "shop")
        (self.folder / "shop" / "jobs.py").write_text(JOBS)
        (self.folder / "shop" / "tests.py").write_text(TESTS)

    def configure(self, database: Database) -> None:
        """Have the settings end with ours, and with this database."""
        path = self.folder / "host" / "settings.py"
        text = path.read_text().split("\n# ours")[0] + OURS
        path.write_text(text + database_settings(database))

    def version(self, package: str) -> str:
        code = f"from importlib.metadata import version; print(version({package!r}))"
        return self._call([str(self._bin / "python"), "-c", code], self.folder).strip()

    def manage(self, *arguments: str) -> str:
        """Return what a command printed, which must end with 0, without any warning."""
        command = [str(self._bin / "python"), "-W", "error::DeprecationWarning:scheduler_app"]
        return self._call([*command, "manage.py", *arguments], self.folder)

    def client(self, *arguments: str) -> str:
        """Return what schedulerctl printed, which must end with 0."""
        return self._call([str(self._bin / "schedulerctl"), *arguments], self.folder)

    @contextmanager
    def scheduler(self, *, serves: bool = True) -> Iterator[str]:
        """A scheduler, which `serves` on the address that this gives, and ends with 0."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{probe.getsockname()[1]}"
        log = self.folder / "log"
        with log.open("w") as out:
            process = subprocess.Popen(
                [str(self._bin / "python"), "manage.py", "runscheduler", *[address] * serves],
                cwd=self.folder, env=self._env, stdout=out, stderr=subprocess.STDOUT,
            )  # fmt: skip
            try:
                yield address
                process.send_signal(signal.SIGTERM)
                assert process.wait(60) == 0, log.read_text()
            finally:
                process.kill()
                process.wait()

    def sees(self, endpoint: str, pattern: str) -> None:
        """Wait until a line of the status matches."""
        words = re.compile(pattern, re.MULTILINE)
        command = ("scheduler", "--endpoint", endpoint, "status")
        eventually(lambda: words.search(self.manage(*command)), 60)

    def _call(self, command: Sequence[str], folder: Path) -> str:
        done = subprocess.run(
            command, cwd=folder, env=self._env, text=True, timeout=300, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}"
        return done.stdout


def database_settings(database: Database) -> str:
    if not database.url.startswith("postgres"):
        return ""
    url = urlsplit(database.url)
    return POSTGRES.format(
        name=url.path.lstrip("/"), user=url.username or "", password=url.password or "",
        host=url.hostname, port=url.port or 5432,
    )  # fmt: skip
