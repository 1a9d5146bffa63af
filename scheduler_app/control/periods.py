"""Run the occurrences of a period."""

from datetime import datetime

from scheduler_app.control.actor import Action, Actor, audit, kept
from scheduler_app.control.transaction import carry_out
from scheduler_app.cron import Uncomputable
from scheduler_app.exceptions import ActionRefused, CronError, JobNotFound, RequestError
from scheduler_app.ledger import schedules, transitions
from scheduler_app.models import Job, JobRun, RunState, database
from scheduler_app.models.job import can_be_name
from scheduler_app.policies import MAX_NAME
from scheduler_app.text import one_line

MOST, MOST_LOOKED_AT = 1_000, 100_000
"""How many occurrences one call runs at most, and how many of a period it looks at."""


def backfill(
    name: str,
    since: datetime,
    until: datetime,
    *,
    by: Actor,
    reason: str = "",
    include_succeeded: bool = False,
    together: bool = False,
) -> list[JobRun]:
    """Run the occurrences that the job's present schedule has from one moment up to before another:
    those that did not succeed and that no run waits for, or all. Returns the queued runs, in order;
    each starts when the job's policies allow, or at once if they may run `together`. Raises
    JobNotFound, RequestError, CronError, Busy, and ActionRefused if the job is orphaned."""
    reason = kept(reason)

    def fill() -> list[JobRun]:
        jobs = schedules.lock([name]) if can_be_name(name) else []
        if not jobs:
            raise JobNotFound(one_line(name, MAX_NAME))
        if jobs[0].is_orphaned:
            raise ActionRefused(
                f"Job {name} cannot be run: no scheduler's code declares it any more."
            )
        moments = _moments(jobs[0], since, until, include_succeeded)
        now = database.now()
        runs = transitions.request_occurrences({name: moments}, now, by.name, may_overlap=together)
        period = f"{since:%Y-%m-%d %H:%M:%S %Z} to {until:%Y-%m-%d %H:%M:%S %Z}: {len(runs)} runs."
        audit(Action.BACKFILL, by, [(name, f"{period} {reason}".strip(), bool(runs))])
        return runs

    return carry_out(fill, [name])


def plan_backfill(
    name: str, since: datetime, until: datetime, *, include_succeeded: bool = False
) -> list[datetime]:
    """Return the occurrences that backfill() would run. Raises as it does."""
    job = Job.objects.filter(name=name).first() if can_be_name(name) else None
    if job is None:
        raise JobNotFound(one_line(name, MAX_NAME))
    return _moments(job, since, until, include_succeeded)


def _moments(job: Job, since: datetime, until: datetime, include_succeeded: bool) -> list[datetime]:
    fires = job.schedule.compute()
    if isinstance(fires, Uncomputable):
        raise CronError(fires.text)
    if since >= until:
        raise RequestError("until", "Bad until: the period ends before it begins.")
    done = set() if include_succeeded else _done(job.name, since, until)
    found = list[datetime]()
    for number, moment in enumerate(fires.scheduled(since, min(until, database.now()))):
        if moment not in done:
            found.append(moment)
        if len(found) > MOST or number > MOST_LOOKED_AT:
            most = MOST if len(found) > MOST else MOST_LOOKED_AT
            text = f"The period has more than {most:,} occurrences: take a shorter one."
            raise RequestError("until", text)
    return found


def _done(name: str, since: datetime, until: datetime) -> set[datetime]:
    """Return the occurrences that succeeded, or that a run waits for."""
    runs = JobRun.objects.filter(job_name=name, scheduled_for__gte=since, scheduled_for__lt=until)
    states = (RunState.SUCCESS, RunState.QUEUED, RunState.RUNNING)
    return set(runs.filter(state__in=states).values_list("scheduled_for", flat=True))
