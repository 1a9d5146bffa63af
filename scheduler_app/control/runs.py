"""Cancel, and run again."""

from collections.abc import Collection

from scheduler_app.control.actor import Action, Actor, audit, kept, sentence
from scheduler_app.control.transaction import Changes, carry_out
from scheduler_app.exceptions import ActionRefused, RunNotFound, SchedulerError
from scheduler_app.ledger import schedules, transitions
from scheduler_app.ledger.retries import later_attempts
from scheduler_app.models import JobRun, RunState, database
from scheduler_app.models.run import ACTIVE

LARGEST_ID = 2**63 - 1


def cancel(run_id: int, *, by: Actor, reason: str = "") -> bool:
    """End a run early. False: it has ended, or is asked to end, already. Raises RunNotFound and
    Busy.

    A queued run is cancelled immediately, and never starts. A running one is asked to end through
    `context.cancelled`; one in a process of its own is killed if it has not ended within
    SCHEDULER["cancel_grace"] seconds."""
    changes = cancel_many([run_id], by=by, reason=reason)
    for error in changes.refused.values():
        raise error
    return bool(changes.changed)


def cancel_many(run_ids: Collection[int], *, by: Actor, reason: str = "") -> Changes:
    """End these runs early in one transaction; BATCH of them at most. Raises Busy."""
    reason = kept(reason)
    possible = [run_id for run_id in run_ids if 0 < run_id <= LARGEST_ID]

    def cancel_all() -> Changes:
        runs = JobRun.objects.select_for_update().filter(pk__in=possible).order_by("-pk")
        runs_by_id = {run.pk: run for run in runs.defer("traceback", "log", "metadata")}
        ended = transitions.cancel(
            runs_by_id.values(), database.now(), sentence("Cancelled", by, reason)
        )
        rows = [
            (run.job_name, f"Run {run.pk}. {reason}".strip(), run.pk in ended)
            for run in runs_by_id.values()
        ]
        if rows:
            audit(Action.CANCEL, by, rows)
        return Changes(
            changed=[str(pk) for pk in run_ids if pk in ended],
            unchanged=[str(pk) for pk in run_ids if pk in runs_by_id and pk not in ended],
            refused={str(pk): RunNotFound(pk) for pk in run_ids if pk not in runs_by_id},
        )

    return carry_out(cancel_all, [f"run {pk}" for pk in possible])


def retry(run_id: int, *, by: Actor, reason: str = "") -> JobRun:
    """Run again what failed, was lost, was cancelled or did not run: for the same occurrence, with
    the same arguments, as soon as a scheduler can; returns the queued run. What happened stays in
    the ledger as it is.

    Of a row that accounts for several occurrences, the last is run. Raises RunNotFound, Busy, and
    ActionRefused if the run has not ended or is a success, if a later attempt of it has not ended
    or is a success, or if the job is orphaned."""
    queued, refused = _retry([run_id], by, reason)
    for error in refused.values():
        raise error
    return queued[0]


def retry_many(run_ids: Collection[int], *, by: Actor, reason: str = "") -> Changes:
    """Run these again in one transaction; BATCH of them at most. Of several attempts of one
    occurrence only the last is. Refused are those that retry() refuses. Raises Busy."""
    queued, refused = _retry(run_ids, by, reason)
    changed = [str(run.rerun_of_id) for run in queued]
    return Changes(changed, refused={str(pk): error for pk, error in refused.items()})


def _retry(
    run_ids: Collection[int], by: Actor, reason: str
) -> tuple[list[JobRun], dict[int, SchedulerError]]:
    reason = kept(reason)
    possible = [run_id for run_id in run_ids if 0 < run_id <= LARGEST_ID]

    def retry_all() -> tuple[list[JobRun], dict[int, SchedulerError]]:
        rows = JobRun.objects.filter(pk__in=possible).defer("traceback", "log", "metadata")
        found = {run.pk: run for run in rows}
        refused: dict[int, SchedulerError] = {
            pk: RunNotFound(pk) for pk in run_ids if pk not in found
        }
        if not found:
            return [], refused
        jobs = schedules.lock(sorted({run.job_name for run in found.values()}))  # one at a time
        declared = {job.name for job in jobs if not job.is_orphaned}
        later = later_attempts(found.values())
        for pk, run in found.items():
            if why_not := _refusal(run, run.job_name in declared, later[pk], found):
                refused[pk] = ActionRefused(why_not)
        ended = [run for pk, run in sorted(found.items()) if pk not in refused]
        queued = transitions.request_again(ended, database.now(), by.name)
        if ended:
            told = [(run.job_name, f"Run {run.pk}. {reason}".strip(), True) for run in ended]
            audit(Action.RETRY, by, told)
        return queued, refused

    return carry_out(retry_all, [f"run {pk}" for pk in possible])


def _refusal(
    ended: JobRun, is_declared: bool, later: Collection[JobRun], selected: Collection[int]
) -> str:
    """Return why this run cannot be run again beside the selected ones; empty if it can."""
    run, job = f"Run {ended.pk}", ended.job_name
    if ended.state in ACTIVE:
        return f"{run} cannot be run again: it has not ended."
    if ended.state == RunState.SUCCESS:
        return f"{run} cannot be run again: it is a success. Run the job {job} instead."
    if not is_declared:
        return f"{run} cannot be run again: no scheduler's code declares the job {job} any more."
    for attempt in later:
        if attempt.state in ACTIVE:
            return f"{run} is being run again already, as run {attempt.pk}."
        if attempt.state == RunState.SUCCESS:
            return (
                f"{run} cannot be run again: a later attempt, run {attempt.pk}, is a success. "
                f"Run the job {job} instead."
            )
        if attempt.pk in selected:
            return f"{run} is not run again: run {attempt.pk} is a later attempt of the same."
    return ""
