"""Every change of a run's state, with its retries and counts. Nothing else changes one."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from django.db.models.functions import Greatest

from scheduler_app.cron import Fire, Schedule
from scheduler_app.ledger.counters import count
from scheduler_app.ledger.retries import first_attempt, retries_of
from scheduler_app.models import Job, JobRun, JobRunQuerySet, Node, RunState, Trigger, bulk

BATCH = 10_000
"""How many occurrences of one job are dealt with at a time. More (a job of every second after a
night without a scheduler) are left to the next tick, so that no tick takes long."""
SUPERSEDED = "Cancelled: the next occurrence took its place."
UNDECLARED = "Cancelled: no scheduler's code declares the job any more."


def not_run(
    job_name: str, fires: Sequence[Fire], state: RunState, message: str, now: datetime
) -> JobRun:
    """One unsaved row for these occurrences (at least one, in order), none of which ran."""
    first, last = fires[0], fires[-1]
    return JobRun(
        job_name=job_name,
        scheduled_for=last.scheduled_for,
        due_at=last.due_at,
        first_scheduled_for=first.scheduled_for if len(fires) > 1 else None,
        occurrences=len(fires),
        state=state,
        created_at=now,
        finished_at=now,
        message=message,
    )


def overdue_not_run(
    job_name: str, schedule: Schedule, due_at: datetime | None, now: datetime, message: str
) -> list[JobRun]:
    """Unsaved SKIPPED rows for all that is due already and will not run: the job's schedule ends
    here, because it is paused, changed or no longer declared. `due_at`: its next due moment."""
    rows: list[JobRun] = []
    if due_at is None:
        return rows
    fires = schedule.due(due_at, now)
    while batch := list(islice(fires, BATCH)):
        rows.append(not_run(job_name, batch, RunState.SKIPPED, message, now))
    return rows


def insert(runs: Iterable[JobRun]) -> None:
    """Insert the rows and count those that are final. Call it in a transaction."""
    runs = list(runs)
    if runs:
        JobRun.objects.insert(runs)
        count(run for run in runs if run.state != RunState.QUEUED)


def finish(ended: Iterable[JobRun], now: datetime) -> None:
    """For runs that have just ended in this transaction: insert the retries that their jobs want,
    and count the occurrences for which this was the last attempt."""
    ended = list(ended)
    failed = [run for run in ended if run.state in (RunState.FAILED, RunState.LOST)]
    retries = retries_of(failed, now) if failed else []
    insert(retries)
    retried = {(run.job_name, run.first_attempt_id, run.attempt - 1) for run in retries}
    count(run for run in ended if (run.job_name, first_attempt(run), run.attempt) not in retried)


def close_queued(runs: Iterable[JobRun], state: RunState, now: datetime, message: str) -> None:
    """End these (locked) runs, none of which has begun. Call it in a transaction."""
    runs = list(runs)
    JobRun.objects.filter(pk__in=[run.pk for run in runs]).update(
        state=state, finished_at=now, message=message
    )
    for run in runs:
        run.state, run.finished_at, run.message = state, now, message
    count(runs)


class Recorded(NamedTuple):
    """What became of starts and outcomes that were to be written."""

    begun: set[int]
    """The ids of the runs that start now."""
    late: list[JobRun]
    """The runs that were closed before their outcome came."""
    locked: set[int]
    """The ids of the runs of which nothing is written yet, because others have locked their
    rows."""


def record(starts: Sequence[JobRun], ends: Sequence[JobRun], now: datetime) -> Recorded:
    """Write that these runs start now, and the outcomes that those runs' fields tell. A run that
    its node does not hold any more is left alone. Call it in a transaction."""
    held, locked = JobRun.objects.hold([run.pk for run in (*starts, *ends)])
    begun = [run for run in starts if held.get(run.pk) == run.node_id]
    ended = [run for run in ends if held.get(run.pk) == run.node_id]
    for run in begun:
        run.state, run.started_at = RunState.RUNNING, now
    if begun or ended:
        JobRun.objects.write([*begun, *ended])
    finish(ended, now)
    late = [run for run in ends if run.pk not in held and run.pk not in locked]
    return Recorded({run.pk for run in begun}, late, locked)


def assign(runs: Sequence[JobRun], node: Node) -> None:
    """Have this node hold these (locked) runs, which have not begun."""
    JobRun.objects.queued().filter(pk__in=[run.pk for run in runs]).update(node=node)
    for run in runs:
        run.node = node


def request(job_name: str, now: datetime, requested_by: str) -> JobRun:
    """Queue a run that a person asks for."""
    return JobRun.objects.create(
        job_name=job_name,
        trigger=Trigger.MANUAL,
        scheduled_for=now,
        due_at=now,
        created_at=now,
        requested_by=requested_by,
    )


def cancel(run: JobRun, now: datetime, reason: str) -> bool:
    """Close this (locked) run if it is queued, ask it to end if it is running. False: it has ended,
    or has been asked to, already."""
    if run.state == RunState.QUEUED:
        close_queued([run], RunState.CANCELLED, now, reason)
        return True
    running = JobRun.objects.running().filter(pk=run.pk)
    return _request_cancel(running, now, reason) > 0


def cancel_previous(names: Collection[str], now: datetime) -> set[str]:
    """Ask these jobs' runs to end early; occurrences that have not begun end here. Returns the jobs
    of which others have locked a run: nothing is done to these."""
    active = JobRun.objects.active().filter(bulk.AnyOf("job_name", names))
    job_of = dict(active.values_list("pk", "job_name"))
    held, locked = JobRun.objects.hold(list(job_of))
    blocked = {job_of[pk] for pk in locked}
    ours = JobRun.objects.filter(bulk.AnyOf("pk", [pk for pk in held if job_of[pk] not in blocked]))
    close_queued(ours.queued().scheduled(), RunState.CANCELLED, now, SUPERSEDED)
    _request_cancel(ours.running(), now, SUPERSEDED)
    return blocked


def _request_cancel(running: JobRunQuerySet, now: datetime, reason: str) -> int:
    unasked = running.filter(cancel_requested_at=None)
    return unasked.update(cancel_requested_at=now, cancel_reason=reason)


def release_runs(node: Node, now: datetime, message: str) -> list[JobRun]:
    """End a node's hold on its runs: those running are LOST for the reason given (and returned),
    those queued are left for any node to take, or end here if no code declares their job any more.
    Runs whose rows others have locked are left as they are. Call it in a transaction."""
    active = JobRun.objects.active().filter(node=node)
    held, _ = JobRun.objects.hold(list(active.values_list("pk", flat=True)))
    ours = JobRun.objects.filter(bulk.AnyOf("pk", list(held)))
    lost = list(ours.running())
    JobRun.objects.filter(pk__in=[run.pk for run in lost]).update(
        state=RunState.LOST,
        finished_at=Greatest("started_at", now),  # the clock may have been put back
        message=message,
    )
    for run in lost:
        run.state = RunState.LOST
    finish(lost, now)
    orphaned = ours.queued().filter(job_name__in=Job.objects.orphaned().values("name"))
    close_queued(orphaned, RunState.CANCELLED, now, UNDECLARED)
    ours.queued().update(node=None)
    return lost
