"""An action on several jobs in one transaction."""

from collections.abc import Callable, Collection, Sequence

from scheduler_app.control.actor import Action, Actor, audit
from scheduler_app.control.transaction import BATCH, Changes, carry_out
from scheduler_app.exceptions import Busy, EtagMismatch, JobNotFound
from scheduler_app.ledger import schedules
from scheduler_app.models import Job
from scheduler_app.models.job import can_be_name
from scheduler_app.policies import MAX_NAME
from scheduler_app.text import one_line


def on_jobs(
    names: Collection[str], work: Callable[[list[Job], Changes], None], etag: str = ""
) -> Changes:
    """Lock these jobs and do this work on them, which notes what became of each. Refused are those
    that are not there and, with an `etag`, those of which it is not theirs. Raises Busy."""
    names = list(dict.fromkeys(names))
    possible = [name for name in names if can_be_name(name)]

    def on_locked() -> Changes:
        jobs, changes = schedules.lock(possible), Changes()
        found = {job.name for job in jobs}
        for name in names:
            if name not in found:
                changes.refused[name] = JobNotFound(one_line(name, MAX_NAME))
        for job in jobs:
            if etag and job.etag != etag:
                changes.refused[job.name] = EtagMismatch(job.name)
        jobs = [job for job in jobs if job.name not in changes.refused]
        if jobs:
            work(jobs, changes)
        return changes

    return carry_out(on_locked, possible)


def in_batches(names: Sequence[str], act: Callable[[Sequence[str]], Changes]) -> Changes:
    """Act on these jobs, BATCH of them in a transaction. What others hold is refused, with the rest
    of its batch."""
    found = Changes()
    for start in range(0, len(names), BATCH):
        batch = names[start : start + BATCH]
        try:
            found.add(act(batch))
        except Busy as error:
            found.refused.update(dict.fromkeys(batch, error))
    return found


def audit_changes(action: Action, by: Actor, reason: str, changes: Changes) -> None:
    """Record the action on each of the jobs. Call it in the transaction of the action."""
    rows = [(name, reason, True) for name in changes.changed]
    audit(action, by, rows + [(name, reason, False) for name in changes.unchanged])


def single(changes: Changes) -> bool:
    """Return whether the action changed the one job that it was about; raise why it was
    refused."""
    for error in changes.refused.values():
        raise error
    return bool(changes.changed)
