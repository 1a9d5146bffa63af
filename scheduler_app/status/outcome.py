"""What became of one occurrence, or of one request, in words: out of the rows of its attempts."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from scheduler_app.models import JobRun, RunState
from scheduler_app.status import waiting
from scheduler_app.status.history import History
from scheduler_app.status.outages import outage_at, schedulers_without
from scheduler_app.status.words import first_line, length, times

PUNCTUAL = timedelta(milliseconds=500)


def outcome(attempts: Sequence[JobRun], history: History) -> str:
    """Sentences about the last of these attempts, and how the earlier ones failed."""
    *failed, last = attempts
    before = f"{_failures(failed)}; " if failed else ""
    return f"{before}{_attempt(last, history)}"


def _failures(failed: Sequence[JobRun]) -> str:
    counts = Counter(run.state for run in failed)
    words = {RunState.FAILED: "failed", RunState.LOST: "was lost"}
    told = [f"{words.get(RunState(state), state)} {times(n)}" for state, n in counts.items()]
    return f"{' and '.join(told)} ({first_line(failed[-1].message)})"


def _attempt(run: JobRun, history: History) -> str:
    number = f" at attempt {run.attempt}" if run.attempt > 1 else ""
    which, message = f"(run {run.pk})", first_line(run.message)
    started = _started(run, history)
    match RunState(run.state):
        case RunState.QUEUED:
            what = f"attempt {run.attempt} waits" if number else "waits"
            return f"{what} for {waiting.reason(run, history)} {which}."
        case RunState.RUNNING:
            asked = f" It has been asked to end. {first_line(run.cancel_reason)}."
            where = f" on {run.node}" if run.node else ""
            told = asked if run.cancel_requested_at else ""
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
    sentences = [f"did not run{number}. {first_line(run.message)} (run {run.pk})"]
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
