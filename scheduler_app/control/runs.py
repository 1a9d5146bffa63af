"""Cancel, and run again."""

from collections.abc import Collection

from scheduler_app.control.actor import Action, Actor, audit, kept, sentence
from scheduler_app.control.transaction import Changes, carry_out
from scheduler_app.exceptions import ActionRefused, RunNotFound
from scheduler_app.ledger import schedules, transitions
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
    ActionRefused if the run has not ended or is a success, if it is being run again already, or if
    the job is orphaned."""
    reason = kept(reason)
    found = JobRun.objects.filter(pk=run_id) if 0 < run_id <= LARGEST_ID else JobRun.objects.none()

    def retry_one() -> JobRun:
        ended = found.defer("traceback", "log", "metadata").first()
        if ended is None:
            raise RunNotFound(run_id)
        jobs = schedules.lock([ended.job_name])  # one request at a time
        if why_not := _refusal(ended, bool(jobs) and not jobs[0].is_orphaned):
            raise ActionRefused(why_not)
        run = transitions.request_again(ended, database.now(), by.name)
        audit(Action.RETRY, by, [(ended.job_name, f"Run {run_id}. {reason}".strip(), True)])
        return run

    return carry_out(retry_one, [f"run {run_id}"])


def _refusal(ended: JobRun, is_declared: bool) -> str:
    run, job = f"Run {ended.pk}", ended.job_name
    if ended.state in ACTIVE:
        return f"{run} cannot be run again: it has not ended."
    if ended.state == RunState.SUCCESS:
        return f"{run} cannot be run again: it is a success. Run the job {job} instead."
    if not is_declared:
        return f"{run} cannot be run again: no scheduler's code declares the job {job} any more."
    again = JobRun.objects.active().filter(rerun_of=ended.pk).values_list("pk", flat=True).first()
    return f"{run} is being run again already, as run {again}." if again else ""
