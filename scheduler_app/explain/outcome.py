"""What became of one occurrence, or of one request, in words: out of the rows of its attempts."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from scheduler_app.explain.hanging import hanging
from scheduler_app.explain.history import History
from scheduler_app.explain.outages import death_of, outage_at, schedulers_without
from scheduler_app.models import JobRun, RunState
from scheduler_app.policies import Overlap
from scheduler_app.status import InterruptedRun
from scheduler_app.text import clause, length, times

PUNCTUAL = timedelta(milliseconds=500)


def outcome(attempts: Sequence[JobRun], history: History) -> str:
    """Return sentences about the last of these attempts, and how the earlier ones failed."""
    *failed, last = attempts
    before = f"{_failures(failed)}; " if failed else ""
    reruns = JobRun.objects.filter(rerun_of__in=[run.pk for run in attempts])
    again = reruns.select_related("node").order_by("pk").last()
    after = (
        f" Asked for again by {again.requested_by}, it {_again(again, history)}" if again else ""
    )
    return f"{before}{_attempt(last, history)}{after}"


def _again(first: JobRun, history: History) -> str:
    return outcome(history.attempts(first), history)


def _failures(failed: Sequence[JobRun]) -> str:
    counts = Counter(run.state for run in failed)
    words = {RunState.FAILED: "failed", RunState.LOST: "was lost"}
    told = [f"{words.get(RunState(state), state)} {times(n)}" for state, n in counts.items()]
    return f"{' and '.join(told)} ({clause(failed[-1].message)})"


def _attempt(run: JobRun, history: History) -> str:
    number = f" at attempt {run.attempt}" if run.attempt > 1 else ""
    which, message = f"(run {run.pk})", clause(run.message)
    started = _started(run, history)
    match RunState(run.state):
        case RunState.QUEUED:
            what = f"attempt {run.attempt} waits" if number else "waits"
            return f"{what} for {_waits_for(run, history)} {which}."
        case RunState.RUNNING:
            asked = f" It has been asked to end. {clause(run.cancel_reason)}."
            told = asked if run.cancel_requested_at else ""
            died = death_of(run.node, history.now) if run.node else None
            if died:
                closing = "The next scheduler that runs closes it."
                words = InterruptedRun(run.pk, str(run.node), died).words(history.clock)
                return f"{words}{number}: {started} {which}.{told} {closing}"
            where = f" on {run.node}" if run.node else ""
            note = hanging(run, history.now)
            told += f" {note}" if note else ""
            return f"is running{number}: {started}{where} {which}.{told}"
        case RunState.SUCCESS:
            verb = f"succeeded{number}" if number else "ran"
            return f"{verb}: {started}, success after {_took(run)} {which}."
        case RunState.FAILED:
            return f"failed{number}: {started}, after {_took(run)}: {message} {which}."
        case RunState.LOST:
            return f"was lost{number}: {started}, given up after {_took(run)}. {message} {which}."
        case RunState.CANCELLED if run.started_at:
            return f"was cancelled{number}: {started}, for {_took(run)}. {message} {which}."
        case _:
            return _not_run(run, history, number)


def _not_run(run: JobRun, history: History, number: str) -> str:
    sentences = [f"did not run{number}. {clause(run.message)} (run {run.pk})"]
    if run.occurrences > 1:
        first, last = run.first_scheduled_for or run.scheduled_for, run.scheduled_for
        bounds = f"{history.clock.full(first)} to {history.clock.near(last, first)}"
        sentences.append(f"So it went {run.occurrences:,} occurrences, {bounds}")
    outage = outage_at(run.due_at, history.now) if run.state == RunState.MISSED else None
    if outage:
        sentences.append(outage.words(history.clock, run.scheduled_for))
    elif run.state == RunState.MISSED:
        without = schedulers_without(run.job_name, run.due_at, history.now)
        if without:
            sentences.append(f"No scheduler alive then had it in its code: {', '.join(without)}")
    return f"{'. '.join(sentences)}."


def _started(run: JobRun, history: History) -> str:
    if run.started_at is None or run.lateness is None:
        return "its start is not recorded"
    at = f"started {history.clock.near(run.started_at, run.scheduled_for)}"
    if run.lateness < PUNCTUAL:
        return f"{at}, on time"
    return f"{at}, {length(run.lateness)} late"


def _took(run: JobRun) -> str:
    return length(run.duration) if run.duration is not None else "an unknown time"


def _waits_for(run: JobRun, history: History) -> str:
    """Return what this queued run waits for, to follow the word "for"."""
    if history.job.is_paused and run.is_scheduled:
        return f"the job to be resumed. {history.pause_at(history.now)}"
    if run.due_at > history.now:
        at = history.clock.near(run.due_at, run.scheduled_for)
        what = "its time to be tried again" if run.attempt > 1 else "its time"
        return f"{what}, {at}, in {length(run.due_at - history.now)}"
    outage = outage_at(history.now, history.now)
    if outage:
        return f"a scheduler. {outage.words(history.clock, run.scheduled_for)}"
    if run.node:
        return f"a free slot on scheduler {run.node}, which has taken it"
    return _other_run(run, history) or "room on a scheduler"


def _other_run(run: JobRun, history: History) -> str:
    if history.job.overlap == Overlap.ALLOW:
        return ""
    others = JobRun.objects.filter(job_name=run.job_name).exclude(pk=run.pk)
    going = others.assigned().order_by("id").first()
    if going:
        return f"run {going.pk} to end"
    ahead = others.unassigned().filter(due_at__lt=run.due_at).order_by("due_at", "id").first()
    return f"run {ahead.pk}, which is before it" if ahead else ""
