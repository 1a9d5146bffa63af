"""What people have set of a job in place of what its code declares."""

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from scheduler_app import zones
from scheduler_app.cron import MAX_JITTER, MAX_TEXT, MAX_ZONE
from scheduler_app.exceptions import DeclarationError
from scheduler_app.policies import Policies
from scheduler_app.text import is_storable

SCHEDULE = ("cron", "timezone", "jitter")
OVERRIDABLE = (*SCHEDULE, *(field.name for field in fields(Policies)))
"""The fields of a job that may be overridden."""


def pack(values: Mapping[str, Any]) -> str:
    """Return these values as a job's row keeps them: as JSON; nothing for none."""
    return json.dumps(dict(values), sort_keys=True) if values else ""


def unpack(text: str) -> dict[str, Any]:
    """Return the values that a job's row keeps, but for those that its columns cannot have: one
    row changed by hand must not stop all jobs. A schedule may well be uncomputable."""
    try:
        found = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {}
    known = found.items() if isinstance(found, dict) else ()
    return {name: value for name, value in known if name in OVERRIDABLE and _fits(name, value)}


def _fits(name: str, value: object) -> bool:
    if name == "jitter":
        return type(value) is int and 0 <= value <= MAX_JITTER
    if name in SCHEDULE:
        longest = MAX_ZONE if name == "timezone" else MAX_TEXT
        return isinstance(value, str) and len(value) <= longest and is_storable(value)
    try:
        Policies(**{name: value}).validate()  # type: ignore[arg-type]  # what it finds out
    except DeclarationError:
        return False
    return True


def effective(declared: Mapping[str, Any], overrides: str) -> dict[str, Any]:
    """Return what is in force of a declaration, with the columns `overrides` and `declared`: what
    people have set, and what the code says of the same fields."""
    values = unpack(overrides)
    merged = dict(declared) | values
    if "timezone" in values:
        merged["zone_rules"] = zones.digest(merged["timezone"])
    said = {name: declared[name] for name in values if name in declared}
    return merged | {"overrides": overrides, "declared": pack(said)}
