"""Cancel."""

from collections.abc import Collection

from scheduler_app.control.actor import Action, Actor, audit, kept, sentence
from scheduler_app.control.transaction import Changes, carry_out
from scheduler_app.exceptions import RunNotFound
from scheduler_app.ledger import transitions
from scheduler_app.models import JobRun, database

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
