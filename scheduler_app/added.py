"""Jobs that people have added: rows in place of declarations in code.

A row names a function that the code offers, or a command that settings allow; nothing that it names
is imported because of it."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from django.apps import apps

from scheduler_app import zones
from scheduler_app.command import Command
from scheduler_app.conf import scheduler_settings
from scheduler_app.cron import Schedule
from scheduler_app.exceptions import CronError, DeclarationError
from scheduler_app.inspection import JobFunction, with_arguments
from scheduler_app.logs import SafeLogger
from scheduler_app.models import AddedJob
from scheduler_app.models.job import can_be_name
from scheduler_app.models.override import SCHEDULE, unpack
from scheduler_app.policies import DEFAULTS, MAX_APP, Policies
from scheduler_app.registry import JobDefinition, Registry
from scheduler_app.text import shown

logger = SafeLogger(__name__)

NO_SCHEDULE: dict[str, Any] = {"cron": "", "timezone": "UTC", "jitter": 0}
"""Of a row that was changed by hand: it cannot be computed."""


class AddedJobs:
    """The added jobs, as one process knows them."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.signature = ""
        """Changes with the rows."""
        self.declarations: dict[str, Mapping[str, Any]] = {}
        """What each row declares, by the names of the jobs."""

    @property
    def offered(self) -> list[str]:
        """The names of those that this process's code can run, in order."""
        return sorted(self._registry.added)

    def load(self) -> bool:
        """Read the rows, if they have changed, and have the registry know those that its code can
        run. Return whether they have changed."""
        signature = AddedJob.objects.all().signature()
        if signature == self.signature:
            return False
        rows = list(AddedJob.objects.all())
        self.declarations = {row.name: declaration(row) for row in rows}
        self._registry.added = {}
        for row in rows:
            try:
                self._registry.added[row.name] = definition(row, self._registry)
            except (CronError, DeclarationError) as error:
                logger.warning("job %s, which was added, cannot be run here: %s", row.name, error)
        self.signature = signature
        return True


def find(name: str, registry: Registry) -> JobDefinition | None:
    """Return the job of this name that the code declares or that people have added; None if there
    is none, or if this process's code cannot run it."""
    if known := registry.get(name):
        return known
    row = AddedJob.objects.filter(name=name).first() if can_be_name(name) else None
    try:
        return definition(row, registry) if row else None
    except (CronError, DeclarationError):
        return None


def definition(row: AddedJob, registry: Registry) -> JobDefinition:
    """Return the row as a declaration of this process's code. Raises CronError and DeclarationError
    if it cannot be one."""
    values = unpack(row.declaration)
    policies = {name: value for name, value in values.items() if name not in SCHEDULE}
    cron, zone, jitter = (values.get(name, NO_SCHEDULE[name]) for name in SCHEDULE)
    found = JobDefinition(
        name=row.name,
        function=_function(row, registry),
        schedule=Schedule(cron, zone, jitter, row.name),
        description=row.description,
        module=row.function,
        policies=Policies(**policies),
    )
    found.validate()
    return found


def _function(row: AddedJob, registry: Registry) -> JobFunction:
    try:
        arguments = json.loads(row.arguments) if row.arguments else None
    except (ValueError, RecursionError) as error:
        raise DeclarationError(f"Bad arguments {shown(row.arguments)}: use JSON.") from error
    if row.command:
        return _command(row.command, arguments or [])
    function = registry.functions.get(row.function)
    if function is None:
        text = f"Unknown function {shown(row.function)}: decorate it with @job or @schedulable."
        raise DeclarationError(text)
    return with_arguments(function, (), arguments or {})


def _command(name: str, words: Any) -> JobFunction:
    allowed = scheduler_settings().addable_commands
    if name not in allowed:
        raise DeclarationError(
            f'Command {shown(name)} is not among SCHEDULER["addable_commands"]: '
            f"{', '.join(allowed) or 'none'}."
        )
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise DeclarationError(f"Bad arguments {shown(words)} of {name}: use a list of words.")
    command = Command(name, words, {})
    if fault := command.fault():
        raise DeclarationError(f"{name} cannot be called so: {fault}")
    return command


def declaration(row: AddedJob) -> dict[str, Any]:
    """Return what the row declares, whether or not this process's code can run it."""
    values = NO_SCHEDULE | asdict(DEFAULTS) | unpack(row.declaration)
    app = apps.get_containing_app_config(row.function)
    return values | {
        "description": row.description,
        "app": app.label[:MAX_APP] if app else "",
        "zone_rules": zones.digest(values["timezone"]),
    }
