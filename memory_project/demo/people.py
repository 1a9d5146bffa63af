"""What people did in the shop's month: paused, changed, ran, cancelled."""

from __future__ import annotations

from collections.abc import Callable, Container
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from memory_project.demo.incidents import DAY, EXPORT, HOUR
from memory_project.demo.nodes import Machines
from scheduler_app import control
from scheduler_app.control import Actor
from scheduler_app.ledger import transitions
from scheduler_app.models import JobRun, RunState, Surface, database
from scheduler_app.policies import CatchUp

Act = Callable[[str, datetime], object]
"""What was done to the job of this name, at this moment; the run that hangs, if one does."""
ADMIN, OPERATOR = Actor("admin", Surface.ADMIN), Actor("operator", Surface.ADMIN)
ON_CALL = Actor("operator", Surface.CLI)
MINUTE = timedelta(minutes=1)
HANGS = "sync-marketplace-prices"
AT_HALF = "30 */2 * * *"


class Deed(NamedTuple):
    """What a person did."""

    at: datetime
    job_name: str
    act: Act


def acts(machines: Machines, now: datetime, declared: Container[str]) -> list[Deed]:
    """Return what they did to the jobs that are declared, in order."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    feed, erp, letter = "import-supplier-feed", "sync-legacy-erp", "send-newsletter"
    reindex, export = "reindex-search", "export-accounting"
    done = [
        Deed(hour - 26 * DAY, feed, _pause(OPERATOR, "The supplier changes his file's format.")),
        Deed(hour - 26 * DAY + 5 * HOUR, feed, partial(_caught_up, machines)),
        Deed(hour - 19 * DAY, "price-watch", _override("Not at the full hour.", cron=AT_HALF)),
        Deed(hour - 11 * DAY, "fraud-scores", _override("It restarts at times.", retries=2)),
        Deed(hour - 6 * DAY, erp, _pause(ADMIN, "The ERP is being migrated: OPS-412.")),
        Deed(hour - 5 * DAY, letter, _pause(ON_CALL, "Wrong voucher in the text.")),
        Deed(hour - 5 * DAY + 2 * HOUR, letter, lambda name, at: control.resume(name, by=ON_CALL)),
        Deed(hour - 4 * DAY, "vat-report", partial(_run, machines, 420)),
        Deed(hour - 50 * HOUR, reindex, partial(_cancelled, machines)),
        Deed(hour - 20 * HOUR, export, partial(_again, machines)),
        Deed(hour - 3 * HOUR, "export-to-warehouse", _pause(
            OPERATOR, "Stocktaking in the warehouse.", until=hour + 3 * HOUR)),
        Deed(now - 47 * MINUTE, HANGS, partial(_hang, machines)),
    ]  # fmt: skip
    return sorted(deed for deed in done if deed.job_name in declared)


def _pause(by: Actor, reason: str, until: datetime | None = None) -> Act:
    return lambda name, at: control.pause(name, by=by, reason=reason, until=until)


def _override(reason: str, **values: object) -> Act:
    return lambda name, at: control.override(name, values, by=ADMIN, reason=reason)


def _caught_up(machines: Machines, name: str, at: datetime) -> None:
    """Resume the job; the last occurrence of the pause is run."""
    control.resume(name, by=OPERATOR, catch_up=CatchUp.ONCE)
    for run in JobRun.objects.queued().filter(job_name=name):
        _begun(machines, run, at)
        run.state, run.metadata = RunState.SUCCESS, {"articles": 11_240}
        _end(run, at + 3 * MINUTE)


def _run(machines: Machines, seconds: float, name: str, at: datetime) -> None:
    """Run the job now; it succeeds."""
    run = _begun(machines, control.trigger(name, by=OPERATOR, reason="For the auditors."), at)
    run.state, run.metadata = RunState.SUCCESS, {"reports": 1}
    _end(run, at + timedelta(seconds=seconds))


def _cancelled(machines: Machines, name: str, at: datetime) -> None:
    """Run a job now, and cancel it."""
    run = _begun(machines, control.trigger(name, by=OPERATOR), at)
    control.cancel(run.pk, by=ON_CALL, reason="Not in business hours.")
    run.state, run.metadata = RunState.CANCELLED, {"documents": 3_120}
    run.message = JobRun.objects.get(pk=run.pk).cancel_reason
    _end(run, at + timedelta(seconds=74))


def _again(machines: Machines, name: str, at: datetime) -> None:
    """Run again what failed in the night; it fails again."""
    failed = JobRun.objects.finished().filter(job_name=name, state=RunState.FAILED)
    last = failed.order_by("-finished_at").first()
    if last is None:
        return
    run = _begun(machines, control.retry(last.pk, by=OPERATOR, reason="Was it a hiccup?"), at)
    run.state, run.message, run.traceback = RunState.FAILED, EXPORT.message, EXPORT.traceback
    _end(run, at + timedelta(seconds=41))


def _hang(machines: Machines, name: str, at: datetime) -> JobRun | None:
    """Run a job now that does not end, if a scheduler is alive to hold it."""
    if not machines.is_alive:
        return None
    return _begun(machines, control.trigger(name, by=OPERATOR, reason="New prices."), at)


def _begun(machines: Machines, run: JobRun, at: datetime) -> JobRun:
    """Have a scheduler begin the queued run."""
    with database.atomic():
        transitions.assign([run], machines.newest)
        transitions.record([run], [], at + timedelta(milliseconds=310))
    return run


def _end(run: JobRun, at: datetime) -> None:
    """Have the run end as its fields say."""
    run.finished_at = at
    with database.atomic():
        transitions.record([], [run], at)
