"""Another schedule, or other policies, than the code declares; and back."""

from collections.abc import Mapping
from typing import Any

from scheduler_app import zones
from scheduler_app.control.actor import Action, Actor, audit, kept, sentence
from scheduler_app.control.selection import on_jobs, single
from scheduler_app.control.transaction import Changes
from scheduler_app.cron import Schedule, Uncomputable
from scheduler_app.exceptions import CronError, RequestError
from scheduler_app.ledger import schedules
from scheduler_app.models import Job, database
from scheduler_app.models.override import OVERRIDABLE, SCHEDULE, pack, unpack
from scheduler_app.policies import Policies
from scheduler_app.text import shown

SKIPPED = "Skipped: the schedule was changed before it was run."


def override(
    name: str, values: Mapping[str, Any], *, by: Actor, reason: str = "", etag: str = ""
) -> bool:
    """Have these values of OVERRIDABLE be in force for the job, whatever its code declares, now or
    after a deploy. False: they were. A value that the code declares, too, is no override any more.
    Raises JobNotFound, RequestError for a field that cannot be overridden, CronError and
    DeclarationError for a value that cannot be used, EtagMismatch and Busy."""
    for field in values:
        if field not in OVERRIDABLE:
            known = ", ".join(OVERRIDABLE)
            raise RequestError(field, f"Bad field {shown(field)}: use one of {known}.")
    wanted = dict(values)
    if isinstance(wanted.get("cron"), str):
        wanted["cron"] = " ".join(wanted["cron"].split())
    return _change(name, lambda overrides, declared: overrides | wanted, by, reason, etag)


def revert(name: str, *, by: Actor, reason: str = "", etag: str = "") -> bool:
    """Have what the code declares be in force again. False: it was. Raises JobNotFound,
    EtagMismatch and Busy."""
    return _change(name, lambda overrides, declared: {}, by, reason, etag)


def _change(name: str, choose: Any, by: Actor, reason: str, etag: str) -> bool:
    reason = kept(reason)

    def change_all(jobs: list[Job], changes: Changes) -> None:
        (job,) = jobs
        before, said = unpack(job.overrides), unpack(job.declared)
        # What the code says of each field: what is in force, unless that is an override.
        declared = {field: getattr(job, field) for field in OVERRIDABLE} | said
        chosen = choose(before, declared)
        after = {field: value for field, value in chosen.items() if value != declared[field]}
        if after == before:
            changes.unchanged.append(name)
        else:
            _apply(job, declared | after, after, declared, by, reason)
            changes.changed.append(name)
        words = f"{_words(before, declared)} -> {_words(after, declared)}. {reason}".strip()
        audit(Action.EDIT, by, [(name, words, after != before)])

    return single(on_jobs([name], change_all, etag))


def _apply(
    job: Job,
    values: dict[str, Any],
    after: dict[str, Any],
    declared: dict[str, Any],
    by: Actor,
    reason: str,
) -> None:
    check(job.name, values)
    has_other_schedule = any(getattr(job, field) != values[field] for field in SCHEDULE)
    fields = [*OVERRIDABLE, "zone_rules", "overrides", "declared"]

    def apply(each: Job) -> None:
        for field, value in values.items():
            setattr(each, field, value)
        each.zone_rules = zones.digest(each.timezone)
        each.overrides = pack(after)
        each.declared = pack({field: declared[field] for field in after})

    if has_other_schedule:
        what = sentence("Schedule changed", by, reason)
        schedules.change([job], database.now(), apply, fields, skipped=SKIPPED, reason=what)
    else:
        apply(job)
        schedules.write([job], fields)


def check(name: str, values: Mapping[str, Any]) -> None:
    """Raise CronError or DeclarationError for values of OVERRIDABLE that a job cannot use."""
    fires = Schedule(values["cron"], values["timezone"], values["jitter"], name).compute()
    if isinstance(fires, Uncomputable):
        raise CronError(fires.text)
    policies = {field: value for field, value in values.items() if field not in SCHEDULE}
    Policies(**policies).validate()


def _words(overrides: dict[str, Any], declared: dict[str, Any]) -> str:
    if not overrides:
        return "as the code declares"
    told = (f"{field} {shown(value)}" for field, value in sorted(overrides.items()))
    return ", ".join(told)
