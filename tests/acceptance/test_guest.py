"""A guest in other people's projects: whatever these hold, their own commands work as before."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scheduler_app.conf import HOUSEKEEPING
from tests.harness import ROOT

APPS = ["django_apscheduler", "scheduler_app"]


class Host:
    """Somebody's project: what startproject writes, with these apps beside its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._run(["-m", "django", "startproject", "host", str(folder)])
        self.install(*APPS)

    def install(self, *apps: str) -> None:
        """Have INSTALLED_APPS end with these."""
        settings = (self.folder / "host" / "settings.py").read_text().split("\n# ours\n")[0]
        self.write("host/settings.py", f"{settings}\n# ours\nINSTALLED_APPS += {list(apps)}\n")

    def configure(self, text: str) -> None:
        """Add this to the settings."""
        with (self.folder / "host" / "settings.py").open("a") as settings:
            settings.write(f"{text}\n")

    def write(self, path: str, text: str) -> None:
        (self.folder / path).parent.mkdir(exist_ok=True)
        (self.folder / path).write_text(text)

    def add_app(self, name: str, jobs: str, module: str = "jobs") -> None:
        """Add an app with this module."""
        self.write(f"{name}/__init__.py", "")
        self.write(f"{name}/{module}.py", jobs)
        self.configure(f"INSTALLED_APPS.append({name!r})")

    def manage(self, *arguments: str) -> tuple[int, str]:
        """Return the exit code of a command and all that it printed."""
        return self._run(["manage.py", *arguments])

    def jobs(self) -> dict[str, str]:
        """Return the jobs that are declared, with their schedules."""
        code = (
            "from scheduler_app.registry import registry; "
            "print(*(f'{job.name}={job.schedule.expression}' for job in registry), sep='\\n')"
        )
        status, out = self.manage("shell", "-v", "0", "-c", code)
        assert status == 0, out
        return dict(line.split("=") for line in out.splitlines() if "=" in line)

    def _run(self, arguments: list[str]) -> tuple[int, str]:
        env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        env.pop("DJANGO_SETTINGS_MODULE", None)
        done = subprocess.run(
            [sys.executable, *arguments], cwd=self.folder, env=env, text=True, timeout=120,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


DECLARES = "from scheduler_app import job\n@job(cron='@daily')\ndef {name}(): ...\n"
OF_SOMETHING_ELSE = "import no_such_package\n"
QUERIES = (
    "from django.contrib.auth.models import User\n"
    "from scheduler_app import job\n"
    "for user in list(User.objects.all()): ...\n"
    "@job(cron='@daily')\ndef mail(): ...\n"
)


def test_project_as_it_is_written_needs_nothing_but_the_apps(host: Host) -> None:
    host.add_app("shop", DECLARES.format(name="nightly"))
    for command in (
        ["check", "--fail-level", "ERROR"],
        ["makemigrations", "--check", "--dry-run"],
        ["test"],
        ["migrate", "-v", "0"],
        ["scheduler", "audit-ledger"],
    ):
        status, out = host.manage(*command)
        assert "Traceback" not in out
        assert status == 0 or command[-1] == "audit-ledger", out
    assert host.jobs() == HOUSEKEEPING | {"nightly": "@daily"}


@pytest.mark.parametrize(
    ("jobs", "why"),
    [
        (OF_SOMETHING_ELSE, "No module named 'no_such_package'"),
        ("def (", "invalid syntax"),
        ("import sys\nsys.exit('only by hand')\n", "only by hand"),
        ("raise type('Odd', (Exception,), {'__repr__': lambda self: 1 / 0})\n", "Odd"),
    ],
)
def test_module_that_cannot_be_imported_is_named_and_hurts_no_command(
    host: Host, jobs: str, why: str
) -> None:
    host.add_app("bad", jobs)
    host.add_app("good", DECLARES.format(name="nightly"))
    for command in (["check"], ["migrate", "-v", "0"], ["test"]):
        status, out = host.manage(*command)
        assert status == 0, out
        assert "Traceback" not in out
    assert "nightly" in host.jobs()
    _, out = host.manage("check")
    assert "(scheduler.W004) bad.jobs cannot be imported" in out
    assert why in out
    status, out = host.manage("runscheduler")
    assert status == 1
    assert "(scheduler.E009) bad.jobs cannot be imported" in out
    assert "Traceback" not in out


def test_module_that_wants_tables_can_be_imported_once_they_are_there(host: Host) -> None:
    host.add_app("shop", QUERIES)
    status, out = host.manage("migrate", "-v", "0")
    assert status == 0, out
    assert "shop.jobs, line 3: (scheduler.W004) shop.jobs cannot be imported" in out
    assert "no such table: auth_user" in out
    status, out = host.manage("check")
    assert (status, "W004" in out) == (0, False)
    assert "mail" in host.jobs()


def test_other_modules_of_that_name_are_left_alone(host: Host) -> None:
    host.add_app("vacancies", OF_SOMETHING_ELSE)
    host.add_app("shop", DECLARES.format(name="nightly"))
    host.configure("SCHEDULER = {'jobs_apps': ['shop']}")
    status, out = host.manage("check")
    assert (status, "W004" in out) == (0, False)
    assert set(host.jobs()) == {*HOUSEKEEPING, "nightly"}


def test_modules_may_have_another_name(host: Host) -> None:
    host.add_app("vacancies", OF_SOMETHING_ELSE)
    host.add_app("shop", DECLARES.format(name="nightly"), "scheduled")
    host.configure("SCHEDULER = {'jobs_module': 'scheduled'}")
    assert set(host.jobs()) == {*HOUSEKEEPING, "nightly"}


def test_housekeeping_is_switched_off_and_put_to_other_times(host: Host) -> None:
    jobs = {"measure-database": None, "clear-expired-sessions": None, "compact-database": "@weekly"}
    host.configure(f"SCHEDULER = {{'housekeeping': {jobs}}}")
    assert host.jobs() == {"prune-run-history": "15 3 * * *", "compact-database": "@weekly"}


def test_without_django_apscheduler_a_check_says_what_to_add(host: Host) -> None:
    host.install("scheduler_app")
    host.add_app("shop", DECLARES.format(name="nightly"))
    for command in ("check", "migrate", "makemigrations"):
        status, out = host.manage(command)
        assert status == 1
        assert "(scheduler.E008) scheduler_app needs django_apscheduler." in out
        assert 'HINT: Add "django_apscheduler" to INSTALLED_APPS.' in out
        assert "Traceback" not in out
    for command in ("runscheduler", "scheduler", "grpcrunserver"):
        status, out = host.manage(command)
        assert status == 1
        assert out == (
            'scheduler_app needs django_apscheduler. Add "django_apscheduler" to INSTALLED_APPS.\n'
        )


def test_naive_times_hurt_no_command_of_the_project(host: Host) -> None:
    host.configure("USE_TZ = False")
    for command in (["check"], ["test"], ["migrate", "-v", "0"]):
        status, out = host.manage(*command)
        assert status == 0, out
    status, out = host.manage("runscheduler")
    assert status == 1
    assert "(scheduler.E003)" in out


def test_database_that_is_not_migrated_is_named(host: Host) -> None:
    nowhere = ("scheduler", "--endpoint", "127.0.0.1:1")
    for command in (
        ["runscheduler", "127.0.0.1:0"],
        [*nowhere, "status"],
        [*nowhere, "audit-ledger"],
    ):
        status, out = host.manage(*command)
        assert status == 1
        assert "lacks tables or columns of this version; run `manage.py migrate`." in out
        assert "Traceback" not in out
