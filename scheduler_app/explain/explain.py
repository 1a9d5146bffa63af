"""Why a job did, or did not, run at a moment: one truthful sentence or two."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from scheduler_app.exceptions import JobNotFound
from scheduler_app.explain.dst_gaps import Gap, gap_at
from scheduler_app.explain.history import History, Occurrence, State
from scheduler_app.explain.outages import outage_at, schedulers_without
from scheduler_app.explain.outcome import outcome
from scheduler_app.explain.unscheduled import fires_after_gap, no_such_time, not_scheduled
from scheduler_app.models import Job, JobRun, database
from scheduler_app.models.job import can_be_name
from scheduler_app.policies import MAX_NAME
from scheduler_app.text import length, one_line

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def explain(job_name: str, moment: datetime, now: datetime | None = None) -> str:
    """Return what became, or will become, of the occurrence of this moment; all times are in the
    job's zone. A moment without a zone is read in it, too. One without seconds stands for its
    minute if the job is not scheduled for it exactly. Raises JobNotFound."""
    with database.snapshot():
        known = Job.objects.counted() if can_be_name(job_name) else Job.objects.none()
        job = known.filter(name=job_name).first()
        if job is None:
            raise JobNotFound(one_line(job_name, MAX_NAME))
        history = History(job, now or database.now())
        zone = history.clock.zone
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        is_wall = isinstance(moment.tzinfo, ZoneInfo) and moment.tzinfo.key == zone.key
        gap = gap_at(moment.replace(tzinfo=None), zone) if is_wall else None
        if gap:
            return f"{job_name}: {_in_gap(moment, gap, history)}"
        return f"{job_name} {_at(moment.astimezone(UTC), history)}"


def _in_gap(moment: datetime, gap: Gap, history: History) -> str:
    wall = moment.replace(tzinfo=None)
    told = no_such_time(wall, gap, history)
    if fires_after_gap(wall, gap, history):
        return f"{told} The job was to run right after it. {_at(gap.at, history)}"
    return told


def _at(moment: datetime, history: History) -> str:
    width = SECOND if moment.second or moment.microsecond else MINUTE
    moment = moment.replace(microsecond=0)
    until = moment + width
    occurrences = history.occurrences(moment, until)
    if occurrences:
        first = occurrences[0].fire.scheduled_for
        more = len(occurrences) > 1 and first != moment
        note = f" It is the first of {len(occurrences)} in that minute." if more else ""
        return f"{history.clock.full(first)}: {_occurrence(occurrences[0], history)}{note}"
    when = history.clock.full(moment)
    runs = JobRun.objects.filter(job_name=history.job.name, attempt=1).order_by(
        "scheduled_for", "pk"
    )
    other = runs.filter(scheduled_for__gte=moment, scheduled_for__lt=until).first()
    unjudged = history.unjudged(moment, until)
    if other is None:
        return f"{when}: {unjudged or not_scheduled(moment, until, history)}"
    told = outcome(history.attempts(other), history)
    if other.is_scheduled:
        if unjudged:
            return f"{when}: {told} Whether it was scheduled {unjudged}"
        return f"{when}: {told} The schedule of that time does not have this moment."
    return f"{history.clock.full(other.scheduled_for)}, asked for by {other.requested_by}: {told}"


def _occurrence(occurrence: Occurrence, history: History) -> str:
    fire, period = occurrence.fire, occurrence.period
    first = history.first_attempt(fire)
    if first:
        return outcome(history.attempts(first), history)
    if fire.due_at > history.now:
        return _future(occurrence, history)
    if period.state == State.PAUSED:
        return f"did not run. {history.pause_at(fire.due_at)}."
    if period.state == State.ORPHANED:
        since = history.clock.full(history.since(period))
        return f"did not run. No scheduler's code declared the job since {since}."
    if history.job.pruned_to and fire.scheduled_for <= history.job.pruned_to:
        to = history.clock.full(history.job.pruned_to)
        return f"was due. What became of it is deleted, like more of the history up to {to}."
    if history.accounted_to and fire.due_at <= history.accounted_to:
        return "was due; history incomplete: the row that accounted for it has been deleted."
    if period.ends_at is None and history.next_due and fire.due_at >= history.next_due:
        return _unclaimed(occurrence, history)
    return (
        "was due, and no row of the ledger accounts for it. This should not be: see audit-ledger."
    )


def _future(occurrence: Occurrence, history: History) -> str:
    fire, state = occurrence.fire, occurrence.period.state
    wait = length(fire.due_at - history.now)
    ends = history.job.paused_until
    if state == State.PAUSED and not (ends and ends < fire.due_at):
        return f"is in {wait}, and will not run: {history.pause_at(history.now)}."
    if state == State.ORPHANED:
        since = history.clock.full(history.since(occurrence.period))
        return (
            f"is in {wait}, and will not run: no scheduler's code declares the job since {since}."
        )
    jitter = fire.due_at - fire.scheduled_for
    at = history.clock.near(fire.due_at, fire.scheduled_for)
    after = f", after the pause, which ends at {history.clock.full(ends)}" if ends else ""
    return f"will run in {wait}{f', at {at} (jitter {length(jitter)})' if jitter else ''}{after}."


def _unclaimed(occurrence: Occurrence, history: History) -> str:
    late = length(history.now - occurrence.fire.due_at)
    outage = outage_at(history.now, history.now)
    without = schedulers_without(history.job.name, history.now, history.now)
    why = ""
    if outage:
        why = f" {outage.words(history.clock, occurrence.fire.scheduled_for)}."
    elif without:
        why = f" No living scheduler has it in its code: {', '.join(without)}."
    return f"has been due for {late}, and no scheduler has taken it yet.{why}"
