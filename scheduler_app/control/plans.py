"""What an override would do, before it is made."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scheduler_app.control.overrides import check
from scheduler_app.cron import Schedule
from scheduler_app.models.override import OVERRIDABLE, SCHEDULE
from scheduler_app.policies import Policies


@dataclass(frozen=True, slots=True)
class Setting:
    """A schedule and policies, as they are or would be in force."""

    schedule: Schedule
    policies: Policies


def plan_override(name: str, values: Mapping[str, Any]) -> Setting:
    """Return what would be in force with these values of all that can be overridden. Raises
    CronError and DeclarationError for a value that cannot be used."""
    chosen = {field: values[field] for field in OVERRIDABLE}
    check(name, chosen)
    return _setting(name, chosen)


def _setting(name: str, values: Mapping[str, Any]) -> Setting:
    schedule = Schedule(values["cron"], values["timezone"], values["jitter"], name)
    policies = {field: value for field, value in values.items() if field not in SCHEDULE}
    return Setting(schedule, Policies(**policies))
