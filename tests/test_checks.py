"""Misconfiguration is told before anything starts."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.conf import settings as project
from django.core import checks as project_checks
from django.core.checks import CheckMessage
from django.core.management import get_commands
from django.db import connections
from pytest_django import Settings

from scheduler_app import checks
from scheduler_app.registry import Registry, command_job, job
from tests.harness import ROOT


def ids(found: list[CheckMessage]) -> list[str | None]:
    return [message.id for message in found]


@pytest.fixture(autouse=True)
def as_deployed(settings: Settings) -> None:
    settings.SCHEDULER = {}


def test_the_project_itself_has_no_faults() -> None:
    assert checks.check_declarations() == []
    assert checks.check_modules() == []
    assert checks.check_settings() == []
    assert checks.check_running() == []
    assert checks.check_installed_apps() == []


def test_bad_declaration_is_an_error_with_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry()
    job(cron="61 * * * *", name="a", registry=registry)(lambda: None)
    monkeypatch.setattr(checks, "registry", registry)
    (error,) = checks.check_declarations()
    assert error.id == "scheduler.E001"
    assert "minute" in error.msg
    assert error.hint


def test_command_that_does_not_exist_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry()
    command_job("clearsesions", cron="@daily", registry=registry)
    command_job("clearsessions", cron="@daily", registry=registry)
    monkeypatch.setattr(checks, "registry", registry)
    (error,) = checks.check_declarations()
    assert error.id == "scheduler.E001"
    assert "no management command 'clearsesions'" in error.msg
    assert error.hint == "Did you mean 'clearsessions'?"


@pytest.mark.parametrize(
    ("args", "options", "text"),
    [
        (["--nope"], {}, "unrecognized arguments: --nope"),
        ([], {"nope": 1}, "Unknown option(s) for clearsessions command: nope."),
        (["--verbosity", "9"], {}, "invalid choice: 9"),
        (["--verbosity", "2"], {"no_color": True}, ""),
    ],
)
def test_arguments_that_a_command_does_not_take_are_an_error(
    monkeypatch: pytest.MonkeyPatch, args: list[str], options: dict[str, Any], text: str
) -> None:
    registry = Registry()
    command_job("clearsessions", *args, cron="@daily", options=options, registry=registry)
    monkeypatch.setattr(checks, "registry", registry)
    found = checks.check_declarations()
    assert ids(found) == (["scheduler.E001"] if text else [])
    assert not found or text in found[0].msg
    assert not found or found[0].hint == "See `manage.py help clearsessions`."


def test_command_that_cannot_be_loaded_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry()
    command_job("clearsessions", cron="@daily", registry=registry)
    monkeypatch.setattr(checks, "registry", registry)
    broken = mock.Mock(side_effect=ImportError("no celery"))
    monkeypatch.setattr("scheduler_app.command.load_command_class", broken)
    (error,) = checks.check_declarations()
    assert error.msg.endswith("clearsessions cannot be called so: ImportError('no celery')")


def test_check_of_a_command_does_not_call_it(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry()
    command_job("clearsessions", cron="@daily", registry=registry)
    monkeypatch.setattr(checks, "registry", registry)
    called = mock.Mock()
    monkeypatch.setattr(
        "django.contrib.sessions.management.commands.clearsessions.Command.handle", called
    )
    assert checks.check_declarations() == []
    called.assert_not_called()


def test_command_of_another_app_that_hides_ours_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks.check_commands() == []
    known = get_commands() | {"scheduler": "shop"}
    monkeypatch.setattr(checks, "get_commands", lambda: known)
    (warning,) = checks.check_commands()
    assert warning.id == "scheduler.W005"
    assert warning.msg == "`manage.py scheduler` is a command of shop, not the scheduler's."


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"hearbeat": 5}, "has no setting 'hearbeat'"),
        ({"heartbeat": 0}, "must be a number above zero"),
        ({"heartbeat": "5"}, "must be a number above zero"),
        ({"history_days": 1.5}, "must be a whole number"),
        ({"calls_per_second": 0}, "must be a number above zero"),
        ({"calls_per_second": 0.5}, "must be a whole number"),
        ({"max_concurrent_runs": True}, "must be a number above zero"),
        ({"jobs_module": "my jobs"}, "must be a module's name, such as 'jobs'"),
        ({"jobs_apps": "shop"}, "must be a list of apps"),
        ({"jobs_apps": [1]}, "must be a list of apps"),
        ({"jobs_apps": ["shop"]}, "names 'shop', which is not installed"),
        ({"housekeeping": None}, "must be a dictionary of cron expressions"),
        ({"housekeeping": {"measure-database": 60}}, "must be a dictionary of cron expressions"),
        ({"housekeeping": {"measure": "@daily"}}, "has no job 'measure'; it has prune-run-history"),
    ],
)
def test_bad_setting_is_named(settings: Settings, given: dict[str, Any], text: str) -> None:
    settings.SCHEDULER = given
    (error,) = checks.check_settings()
    assert error.id == "scheduler.E002"
    assert text in error.msg


def test_certificate_that_cannot_be_read_is_an_error(settings: Settings) -> None:
    settings.SCHEDULER = {"tls_certificate": "/no/such.pem", "tls_key": __file__}
    (found,) = checks.check_access()
    assert found.id == "scheduler.E010"
    assert "/no/such.pem" in found.msg


@pytest.mark.parametrize("debug", [True, False])
def test_control_by_anybody_is_told_outside_development(settings: Settings, debug: bool) -> None:
    settings.SCHEDULER, settings.DEBUG = {"loopback_control": True}, debug
    assert ids(checks.check_access()) == ([] if debug else ["scheduler.W006"])


@pytest.mark.parametrize(("calls", "debug", "told"), [
    (2_000, False, []), (2_001, True, []), (2_001, False, ["scheduler.W007"]),
])  # fmt: skip
def test_limit_that_limits_nothing_is_told_outside_development(
    settings: Settings, calls: int, debug: bool, told: list[str]
) -> None:
    settings.SCHEDULER, settings.DEBUG = {"calls_per_second": calls}, debug
    assert ids(checks.check_access()) == told


def test_naive_times_are_refused(settings: Settings) -> None:
    settings.USE_TZ = False
    assert ids(checks.check_running()) == ["scheduler.E003"]


def test_tables_in_two_databases_are_refused(settings: Settings) -> None:
    settings.DATABASE_ROUTERS = ["tests.test_checks.Elsewhere"]
    assert ids(checks.check_database()) == ["scheduler.E004"]


class Elsewhere:
    """Sends the timetable to another database than the ledger."""

    def db_for_write(self, model: Any, **_: Any) -> str | None:
        return "other" if model._meta.app_label == "django_apscheduler" else None


GOOD: dict[str, Any] = {
    "NAME": "db.sqlite3",
    "OPTIONS": {"transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode = WAL"},
}


@pytest.mark.parametrize("configured", [GOOD, {"NAME": "db.sqlite3"}])
def test_good_sqlite_settings_pass(configured: dict[str, Any]) -> None:
    """Those of Django's startproject, too."""
    assert list(checks._sqlite_faults(configured)) == []


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"init_command": "PRAGMA journal_mode=DELETE"}, "without WAL"),
        ({"init_command": "PRAGMA journal_mode(truncate); PRAGMA cache_size=1"}, "without WAL"),
        ({"timeout": 1}, "at least 5 s"),
    ],
)
def test_sqlite_settings_that_would_kill_the_scheduler(options: Any, fault: str) -> None:
    (text,) = checks._sqlite_faults(GOOD | {"OPTIONS": GOOD["OPTIONS"] | options})
    assert fault in text


@pytest.mark.parametrize(
    ("pragma", "found"),
    [
        ("", []),
        ("PRAGMA synchronous = FULL", []),
        ("PRAGMA synchronous=EXTRA", []),
        ("PRAGMA synchronous=2", []),
        ("PRAGMA synchronous=normal", ["scheduler.W001"]),
        ("PRAGMA main.synchronous(1)", ["scheduler.W001"]),
        ("PRAGMA synchronous=FULL; PRAGMA synchronous=OFF", ["scheduler.W001"]),
    ],
)
def test_sqlite_that_may_forget_a_claim_is_warned_of(
    pragma: str, found: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = f"PRAGMA journal_mode=WAL; {pragma}"
    options = GOOD["OPTIONS"] | {"init_command": command}
    monkeypatch.setattr(type(connections["default"]), "vendor", "sqlite")
    monkeypatch.setitem(connections["default"].settings_dict, "OPTIONS", options)
    monkeypatch.setitem(connections["default"].settings_dict, "NAME", "/srv/db.sqlite3")
    assert ids(checks.check_database()) == found


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("db.sqlite3", ["scheduler.W002"]),
        ("data/db.sqlite3", ["scheduler.W002"]),
        ("/srv/db.sqlite3", []),
        (Path("/srv/db.sqlite3"), []),
        ("file:/srv/db.sqlite3?mode=rw", []),
    ],
)
def test_sqlite_path_that_is_relative_is_warned_of(name: object, found: list[str]) -> None:
    options = GOOD["OPTIONS"] | {"init_command": "PRAGMA journal_mode=WAL"}
    with mock.patch.dict(connections["default"].settings_dict, {"NAME": name, "OPTIONS": options}):
        assert ids(list(checks._sqlite("default"))) == found


@pytest.mark.django_db
def test_commits_of_the_project_survive_a_power_failure() -> None:
    is_sqlite = connections["default"].vendor == "sqlite"
    with connections["default"].cursor() as cursor:
        cursor.execute("PRAGMA synchronous" if is_sqlite else "SHOW synchronous_commit")
        assert cursor.fetchone() == ((2,) if is_sqlite else ("on",))


def test_sqlite_in_memory_is_refused() -> None:
    (text,) = checks._sqlite_faults(GOOD | {"NAME": "file:memorydb?mode=memory"})
    assert "in memory" in text


def test_sqlite_fault_comes_with_the_settings_to_write(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(type(connections["default"]), "vendor", "sqlite")
    monkeypatch.setitem(connections["default"].settings_dict, "OPTIONS", {"timeout": 1})
    monkeypatch.setitem(connections["default"].settings_dict, "NAME", "/srv/db.sqlite3")
    errors = checks.check_database()
    assert ids(errors) == ["scheduler.E006", "scheduler.W003"]
    assert errors[0].hint is not None
    assert '"transaction_mode": "IMMEDIATE"' in errors[0].hint


def test_unknown_engine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(connections["default"]), "vendor", "mysql")
    assert ids(checks.check_database()) == ["scheduler.E005"]


def test_sqlite_without_the_statements_that_are_needed_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(type(connections["default"]), "vendor", "sqlite")
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 32, 3))
    (error,) = checks.check_database()
    assert error.id == "scheduler.E005"
    assert "3.33 or newer" in str(error.hint)


def test_what_keeps_only_a_scheduler_from_running_concerns_no_other_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A host with MySQL may route our tables elsewhere, or only look at the admin."""
    monkeypatch.setattr(type(connections["default"]), "vendor", "mysql")
    assert registered() == []
    # migrate asks so, and manage.py test, of a database in memory
    assert registered(tags=["database"], databases=["default"]) == []
    assert registered(tags=[checks.RUNNING], include_deployment_checks=True) == ["scheduler.E005"]


def registered(**how: Any) -> list[str | None]:
    """Our messages of `manage.py check`."""
    found = project_checks.run_checks(**how)
    return [message.id for message in found if str(message.id).startswith("scheduler.")]


def test_order_of_apps_that_hides_our_command_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(project, "INSTALLED_APPS", ["django_grpc_framework", "scheduler_app"])
    assert ids(checks.check_installed_apps()) == ["scheduler.E007"]


def test_faulty_job_keeps_the_scheduler_from_starting(tmp_path: Any) -> None:
    (tmp_path / "faulty").mkdir()
    (tmp_path / "faulty" / "__init__.py").touch()
    (tmp_path / "faulty" / "jobs.py").write_text(
        "from scheduler_app import job\n\n@job(cron='0 25 * * *')\ndef broken(): ...\n"
    )
    (tmp_path / "faulty_settings.py").write_text(
        "from tests.settings import *\nINSTALLED_APPS = [*INSTALLED_APPS, 'faulty']\n"
    )
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    env = os.environ | {"DJANGO_SETTINGS_MODULE": "faulty_settings", "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "manage.py", "runscheduler"], cwd=ROOT, env=env, capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "scheduler.E001" in done.stderr
    assert "Job 'broken': Bad hour field '25'" in done.stderr
