"""Every change of a run's state, with its retries and counts. Nothing else changes one."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple

from django.db.models.functions import Greatest

from scheduler_app.cron import Fire, Fires
from scheduler_app.ledger.counters import count
from scheduler_app.ledger.retries import first_attempt, retries_of
from scheduler_app.models import (
    Held,
    Job,
    JobRun,
    JobRunQuerySet,
    Node,
    RunProgress,
    RunState,
    Trigger,
    bulk,
    change,
)

BATCH = 10_000
"""How many occurrences of one job are dealt with at a time. More (a job of every second after a
night without a scheduler) are left to the next tick, so that no tick takes long."""
DUMPED = timedelta(milliseconds=1)
"""How exactly a dump in JSON keeps a moment."""
SUPERSEDED = "Cancelled: the next occurrence took its place."
UNDECLARED = "Cancelled: no scheduler's code declares the job any more."
_BLANK = JobRun()


def not_run(
    job_name: str, fires: Sequence[Fire], state: RunState, message: str, now: datetime
) -> JobRun:
    """Return one unsaved row for these occurrences (at least one, in order), none of which ran."""
    first, last = fires[0], fires[-1]
    return bulk.like(
        _BLANK,
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
    job_name: str, fires: Fires, due_at: datetime | None, now: datetime, message: str
) -> list[JobRun]:
    """Return unsaved SKIPPED rows for all that is due already and will not run: the job's schedule
    ends here, because it is paused, changed or no longer declared. `due_at`: its next due
    moment."""
    rows: list[JobRun] = []
    if due_at is None:
        return rows
    due = fires.due(due_at, now)
    while batch := list(islice(due, BATCH)):
        rows.append(not_run(job_name, batch, RunState.SKIPPED, message, now))
    return rows


def insert(runs: Iterable[JobRun]) -> None:
    """Insert the rows and count those that are final. Call it in a transaction."""
    runs = list(runs)
    if runs:
        JobRun.objects.insert(runs)
        change.note_runs(runs)
        count(run for run in runs if run.state != RunState.QUEUED)


def finish(ended: Iterable[JobRun], now: datetime) -> None:
    """Insert the retries of these runs, which have just ended in this transaction, and count the
    occurrences for which they were the last attempt."""
    ended = list(ended)
    failed = [run for run in ended if run.state in (RunState.FAILED, RunState.LOST)]
    retries = retries_of(failed, now) if failed else []
    insert(retries)
    retried = {(run.job_name, run.first_attempt_id, run.attempt - 1) for run in retries}
    count(
        ended, {run for run in failed if (run.job_name, first_attempt(run), run.attempt) in retried}
    )


def close_queued(runs: Iterable[JobRun], state: RunState, now: datetime, message: str) -> None:
    """End these (locked) runs, none of which has begun. Call it in a transaction."""
    runs = list(runs)
    JobRun.objects.filter(pk__in=[run.pk for run in runs]).update(
        state=state, finished_at=now, message=message
    )
    for run in runs:
        run.state, run.finished_at, run.message = state, now, message
    change.note_runs(runs)
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
    held = JobRun.objects.hold([run.pk for run in (*starts, *ends)])
    begun = [run for run in starts if _is_held(run, held)]
    ended = [run for run in ends if _is_held(run, held)]
    for run in begun:
        run.state, run.started_at = RunState.RUNNING, now
    if begun or ended:
        JobRun.objects.write([*begun, *ended])
        change.note_runs([*begun, *ended])
    finish(ended, now)
    late = [run for run in ends if run.pk not in held.nodes and run.pk not in held.locked]
    return Recorded({run.pk for run in begun}, late, held.locked)


def _is_held(run: JobRun, held: Held) -> bool:
    """Return whether this very run is still its node's: in an emptied table ids begin anew."""
    return (
        held.nodes.get(run.pk) == run.node_id
        and run.pk in held.created_at
        and abs(held.created_at[run.pk] - run.created_at) < DUMPED
    )


def assign(runs: Sequence[JobRun], node: Node) -> None:
    """Have this node hold these (locked) runs, which have not begun."""
    JobRun.objects.filter(pk__in=[run.pk for run in runs]).update(node=node)
    for run in runs:
        run.node = node


def request(
    job_names: Iterable[str], now: datetime, requested_by: str, **values: Any
) -> list[JobRun]:
    """Queue a run of each of these jobs that a person asks for, with these values in its columns.
    Call it in a transaction."""
    runs = [_requested(name, now, now, requested_by, **values) for name in job_names]
    insert(runs)
    return runs


def request_occurrences(
    occurrences: Mapping[str, Iterable[datetime]], now: datetime, requested_by: str, **values: Any
) -> list[JobRun]:
    """Queue a run for each of these occurrences of jobs, which a person asks for, with these values
    in its columns. Call it in a transaction."""
    runs = [
        _requested(name, moment, now, requested_by, **values)
        for name, moments in occurrences.items()
        for moment in moments
    ]
    insert(runs)
    return runs


def request_again(ended: Iterable[JobRun], now: datetime, requested_by: str) -> list[JobRun]:
    """Queue, for each of these, a run of the same occurrence, or with the same arguments, which a
    person asks for. Call it in a transaction."""
    runs = [
        _requested(
            run.job_name,
            run.scheduled_for,
            now,
            requested_by,
            arguments=run.arguments,
            rerun_of=run,
        )
        for run in ended
    ]
    insert(runs)
    return runs


def _requested(
    job_name: str, scheduled_for: datetime, now: datetime, requested_by: str, **values: Any
) -> JobRun:
    """Return an unsaved run on request, to start now."""
    return JobRun(
        job_name=job_name,
        trigger=Trigger.MANUAL,
        scheduled_for=scheduled_for,
        due_at=now,
        created_at=now,
        requested_by=requested_by,
        **values,
    )


def cancel(runs: Iterable[JobRun], now: datetime, reason: str) -> set[int]:
    """Close those of these (locked) runs that are queued, ask those that are running to end. The
    others have ended, or have been asked to, already. Returns the ids of those it changed."""
    runs = list(runs)
    queued = [run for run in runs if run.state == RunState.QUEUED]
    if queued:
        close_queued(queued, RunState.CANCELLED, now, reason)
    unasked = [
        run.pk for run in runs if run.state == RunState.RUNNING and not run.cancel_requested_at
    ]
    _request_cancel(JobRun.objects.running().filter(pk__in=unasked), now, reason)
    return {run.pk for run in queued} | set(unasked)


def cancel_previous(
    names: Collection[str],
    now: datetime,
    message: str = SUPERSEDED,
    *,
    with_requests: bool = False,
) -> set[str]:
    """Ask these jobs' runs to end early; occurrences, and requests if that is wanted, that have not
    begun end here. Returns the jobs of which others have locked a run: nothing is done to these."""
    active = JobRun.objects.active().filter(bulk.AnyOf("job_name", names))
    job_of = dict(active.values_list("pk", "job_name"))
    held = JobRun.objects.hold(list(job_of))
    blocked = {job_of[pk] for pk in held.locked}
    free = [pk for pk in held.nodes if job_of[pk] not in blocked]
    ours = JobRun.objects.filter(bulk.AnyOf("pk", free))
    queued = ours.queued() if with_requests else ours.queued().scheduled()
    close_queued(queued, RunState.CANCELLED, now, message)
    _request_cancel(ours.running(), now, message)
    return blocked


def _request_cancel(running: JobRunQuerySet, now: datetime, reason: str) -> int:
    unasked = list(running.filter(cancel_requested_at=None).only("job_name", "state"))
    change.note_runs(unasked)
    asked = JobRun.objects.filter(pk__in=[run.pk for run in unasked])
    return asked.update(cancel_requested_at=now, cancel_reason=reason)


def lose(running: Iterable[JobRun], now: datetime, message: str) -> list[JobRun]:
    """Record these (locked) runs as lost, with what they have said so far; return them. Call it in
    a transaction."""
    lost = list(running)
    JobRun.objects.filter(pk__in=[run.pk for run in lost]).update(
        state=RunState.LOST,
        finished_at=Greatest("started_at", now),  # the clock may have been put back
        message=message,
    )
    RunProgress.objects.keep([run.pk for run in lost])
    for run in lost:
        run.state = RunState.LOST
    change.note_runs(lost)
    finish(lost, now)
    return lost


def held_by(node: Node) -> list[int]:
    """Return the ids of the runs that a node holds, and that have not ended."""
    return list(JobRun.objects.active().filter(node=node).values_list("pk", flat=True))


def release_runs(
    node: Node, now: datetime, message: str, among: Collection[int] | None = None
) -> list[JobRun]:
    """End a node's hold on its runs, or on those of these ids: those running are LOST for the
    reason given (and returned), those queued are left for any node to take, or end here if no code
    declares their job any more. Runs whose rows others have locked are left as they are. Call it in
    a transaction."""
    held = JobRun.objects.hold(held_by(node) if among is None else list(among))
    ours = JobRun.objects.filter(bulk.AnyOf("pk", list(held.nodes)))
    lost = lose(ours.running(), now, message)
    orphaned = ours.queued().filter(job_name__in=Job.objects.orphaned().values("name"))
    close_queued(orphaned, RunState.CANCELLED, now, UNDECLARED)
    ours.queued().update(node=None)
    return lost
