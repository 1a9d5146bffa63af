"""System checks: a misconfiguration is reported, with a hint, before anything starts."""

import os
import re
import sqlite3
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error
from django.core.management import get_commands
from django.db import connections, router
from django_apscheduler.models import DjangoJob

from scheduler_app import discovery
from scheduler_app.command import Command
from scheduler_app.conf import scheduler_settings
from scheduler_app.exceptions import SettingsError
from scheduler_app.models import Job, database
from scheduler_app.registry import Problem, registry

SHORTEST_TIMEOUT = 5.0
MOST_CALLS = 2_000
"""A second of one caller: above that, a limit limits nothing."""
SQLITE_HINT = (
    'DATABASES["{alias}"]["OPTIONS"] = {{"transaction_mode": "IMMEDIATE", "timeout": 20, '
    '"init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"}}'
)
OLDEST_SQLITE = (3, 33)
"""The first with UPDATE ... FROM."""


OWN_COMMANDS = ("runscheduler", "scheduler")
"""grpcrunserver has a check of its own: it is djangogrpcframework's, too."""
RUNNING = "scheduler_running"
"""The tag of the checks that runscheduler and grpcrunserver want: they tell what keeps these from
running, and concern none of the project's other commands."""


def register() -> None:
    """Have Django run the checks of this module."""
    checks.register(check_declarations)
    checks.register(check_modules)
    checks.register(check_commands)
    checks.register(check_settings)
    checks.register(check_installed_apps)
    checks.register(check_running, RUNNING, deploy=True)


def check_running(**_: Any) -> list[CheckMessage]:
    """Report what would keep a scheduler from running: scheduler.E003, scheduler.E009, and
    check_database()."""
    return [*check_time_zones(), *_unknown_jobs(), *check_database(), *check_access()]


def check_access(**_: Any) -> list[CheckMessage]:
    """Report scheduler.E010, a certificate that cannot be read; outside development also
    scheduler.W006, anybody on the machine may control jobs, and scheduler.W007, calls are not
    limited."""
    try:
        given = scheduler_settings()
    except SettingsError:  # check_settings() reports it
        return []
    found: list[CheckMessage] = [
        Error(
            f"SCHEDULER[{name!r}] is {path!r}, which cannot be read.",
            hint="Give the path of a file (PEM) that the scheduler's user may read.",
            id="scheduler.E010",
        )
        for name in ("tls_certificate", "tls_key", "tls_client_ca")
        if (path := getattr(given, name)) and not os.access(path, os.R_OK)
    ]
    if given.loopback_control and not settings.DEBUG:
        found.append(
            checks.Warning(
                'SCHEDULER["loopback_control"] is on: anybody on this machine may pause, resume, '
                "run and cancel jobs.",
                hint="Leave it out; the command line uses the scheduler's Unix socket, and other "
                "programs have tokens (manage.py scheduler token create).",
                id="scheduler.W006",
            )
        )
    if given.calls_per_second > MOST_CALLS and not settings.DEBUG:
        found.append(
            checks.Warning(
                f'SCHEDULER["calls_per_second"] is {given.calls_per_second:,}: one caller may take '
                "all that a server can do.",
                hint=f"A server carries some thousand calls a second; set {MOST_CALLS:,} or less.",
                id="scheduler.W007",
            )
        )
    return found


def check_declarations(**_: Any) -> list[CheckMessage]:
    """Report scheduler.E001: a job is declared wrongly."""
    return [
        Error(problem.text, hint=problem.hint, obj=problem.declared_at, id="scheduler.E001")
        for problem in (*registry.problems, *_wrong_commands())
    ]


def _wrong_commands() -> Iterator[Problem]:
    """Yield a problem for each job whose command is unknown or does not take its arguments. When a
    job is declared, not all apps need be loaded."""
    known = get_commands()
    for definition in registry:
        call = definition.function
        if not isinstance(call, Command):
            continue
        where, text, hint = f"manage.py {call.command}", "", f"See `manage.py help {call.command}`."
        if call.command not in known:
            alike = get_close_matches(call.command, known, n=1)
            hint = f"Did you mean {alike[0]!r}?" if alike else "See `manage.py help`."
            text = f"there is no management command {call.command!r}."
        elif fault := call.fault():
            text = f"{call.command} cannot be called so: {fault}"
        if text:
            yield Problem(where, f"Job {definition.name!r}: {text}", hint)


def check_commands(**_: Any) -> list[CheckMessage]:
    """Report scheduler.W005: another app has a command of the same name as one of ours, which is
    not to be reached."""
    known = get_commands()
    return [
        checks.Warning(
            f"`manage.py {name}` is a command of {known[name]}, not the scheduler's.",
            hint=f'Put "scheduler_app" before {known[name]!r} in INSTALLED_APPS.',
            id="scheduler.W005",
        )
        for name in OWN_COMMANDS
        if name in known and known[name] != "scheduler_app"
    ]


def check_modules(**_: Any) -> list[CheckMessage]:
    """Report scheduler.W004: a module of jobs cannot be imported. The project's other commands go
    on: it may want the tables that `migrate` makes."""
    return [
        checks.Warning(
            problem.text, hint=problem.hint, obj=problem.declared_at, id="scheduler.W004"
        )
        for problem in discovery.failures
    ]


def _unknown_jobs() -> Iterator[CheckMessage]:
    """Yield scheduler.E009: a scheduler would not know all jobs, and take those for removed."""
    for problem in discovery.failures:
        yield Error(problem.text, hint=problem.hint, obj=problem.declared_at, id="scheduler.E009")


def check_settings(**_: Any) -> list[CheckMessage]:
    """Report scheduler.E002: settings.SCHEDULER."""
    try:
        given = scheduler_settings()
    except SettingsError as error:
        return [_bad_setting(str(error))]
    installed = {app.name for app in apps.get_app_configs()}
    return [
        _bad_setting(f"SCHEDULER['jobs_apps'] names {name!r}, which is not installed.")
        for name in given.jobs_apps
        if name not in installed
    ]


def _bad_setting(text: str) -> CheckMessage:
    return Error(text, hint="See the settings in docs/reference.md.", id="scheduler.E002")


def check_time_zones() -> list[CheckMessage]:
    """Report scheduler.E003: time zones are off."""
    if settings.USE_TZ:
        return []
    hint = "Set USE_TZ = True."
    return [Error("The scheduler needs aware times.", hint=hint, id="scheduler.E003")]


def check_database() -> list[CheckMessage]:
    """Report scheduler.E004: a claim could not be one transaction; scheduler.E005: an engine that
    the scheduler cannot use; scheduler.E006: SQLite settings under which it would die;
    scheduler.W001: SQLite settings that let a power failure undo a claim; scheduler.W002: a path
    that depends on the working directory; scheduler.W003: SQLite settings under which jobs may
    fail that read and write."""
    alias = database.alias()
    if {router.db_for_write(Job), router.db_for_write(DjangoJob)} != {alias}:
        text = "The tables of scheduler_app and django_apscheduler are in different databases."
        hint = "Have the database router send both apps to one database."
        return [Error(text, hint=hint, id="scheduler.E004")]
    vendor = connections[alias].vendor
    if vendor not in ("sqlite", "postgresql"):
        hint = "Use PostgreSQL, or SQLite on one machine."
        return [Error(f"The scheduler does not run on {vendor}.", hint=hint, id="scheduler.E005")]
    if vendor == "sqlite" and sqlite3.sqlite_version_info < OLDEST_SQLITE:
        hint = f"Use a Python with SQLite {'.'.join(map(str, OLDEST_SQLITE))} or newer."
        text = f"SQLite {sqlite3.sqlite_version} is too old."
        return [Error(text, hint=hint, id="scheduler.E005")]
    return list(_sqlite(alias)) if vendor == "sqlite" else []


def check_installed_apps(**_: Any) -> list[CheckMessage]:
    """Report scheduler.E007: djangogrpcframework's own, broken grpcrunserver would be found
    first."""
    apps = settings.INSTALLED_APPS
    if "django_grpc_framework" not in apps:
        return []
    ours = [app for app in apps if app.split(".")[0] == "scheduler_app"]
    if apps.index(ours[0]) < apps.index("django_grpc_framework"):
        return []
    hint = 'Put "scheduler_app" before "django_grpc_framework".'
    return [Error("INSTALLED_APPS are in the wrong order.", hint=hint, id="scheduler.E007")]


def _sqlite(alias: str) -> Iterator[CheckMessage]:
    configured = connections[alias].settings_dict
    hint = SQLITE_HINT.format(alias=alias)
    for fault in _sqlite_faults(configured):
        yield Error(fault, hint=hint, id="scheduler.E006")
    if _may_forget(configured):
        text = "SQLite without synchronous=FULL may undo a claim at a power failure."
        yield checks.Warning(f"{text} Its job would run twice.", hint=hint, id="scheduler.W001")
    if _is_relative(configured):
        text = f"The path of the SQLite database {str(configured['NAME'])!r} is relative."
        more = "While a job has changed the working directory, it is another file."
        hint = f'DATABASES["{alias}"]["NAME"] = BASE_DIR / "db.sqlite3"'
        yield checks.Warning(f"{text} {more}", hint=hint, id="scheduler.W002")
    if configured.get("OPTIONS", {}).get("transaction_mode") != "IMMEDIATE":
        text = "A transaction of a job that reads before it writes fails if others have written"
        hint = f'DATABASES["{alias}"]["OPTIONS"]["transaction_mode"] = "IMMEDIATE"'
        yield checks.Warning(f"{text} meanwhile.", hint=hint, id="scheduler.W003")


def _is_relative(configured: dict[str, Any]) -> bool:
    name = str(configured["NAME"])
    return not name.startswith("file:") and ":memory:" not in name and not Path(name).is_absolute()


def _may_forget(configured: dict[str, Any]) -> bool:
    """Return whether a commit may not have reached the disk. SQLite's own default is FULL."""
    command = str(configured.get("OPTIONS", {}).get("init_command", ""))
    levels = re.findall(r"synchronous\s*[=(]\s*(\w+)", command, re.IGNORECASE)
    return bool(levels) and levels[-1].upper() in ("OFF", "NORMAL", "0", "1")


def _sqlite_faults(configured: dict[str, Any]) -> Iterator[str]:
    options = configured.get("OPTIONS", {})
    command = str(options.get("init_command", ""))
    modes = re.findall(r"journal_mode\s*[=(]\s*(\w+)", command, re.IGNORECASE)
    if modes and modes[-1].upper() != "WAL":
        yield "SQLite without WAL blocks readers while the scheduler writes."
    if options.get("timeout", SHORTEST_TIMEOUT) < SHORTEST_TIMEOUT:
        yield f"SQLite must wait at least {SHORTEST_TIMEOUT:.0f} s for a lock."
    if ":memory:" in str(configured["NAME"]) or "mode=memory" in str(configured["NAME"]):
        yield "SQLite in memory cannot be shared by threads and processes."
