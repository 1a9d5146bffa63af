"""Who acts and why, as it is recorded."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction

from scheduler_app.models import AuditEntry, Surface, database
from scheduler_app.models.audit import NAME_LIMIT
from scheduler_app.text import one_line, storable
from scheduler_app.wakeup import wake

Action = AuditEntry.Action
REASON_LIMIT = 500
"""Characters of a reason that are kept."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and on which surface. The name is cleaned, so that any column of ours takes it."""

    name: str
    surface: Surface

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", one_line(self.name, NAME_LIMIT) or "unknown")


def kept(reason: str) -> str:
    """Return the reason as it is recorded."""
    return storable(reason, REASON_LIMIT)


def sentence(what: str, by: Actor, reason: str) -> str:
    """Return what was done, by whom, on which surface and why."""
    return f"{what} by {by.name} ({by.surface.label})" + (f": {reason}" if reason else ".")


def audit(action: Action, by: Actor, rows: Iterable[tuple[str, str, bool]]) -> None:
    """Record this action on each of these: the job's name, the reason, whether it changed anything;
    and wake the schedulers of this process. Call it in the transaction of the action."""
    at = database.now()
    AuditEntry.objects.bulk_create(
        AuditEntry(
            at=at,
            actor=by.name,
            surface=by.surface,
            action=action,
            job_name=job_name,
            reason=reason,
            changed=changed,
        )
        for job_name, reason, changed in rows
    )
    transaction.on_commit(wake, using=database.alias())
