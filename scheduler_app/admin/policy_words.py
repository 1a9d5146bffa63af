"""A job's policies in words: what it chose itself in plain type, the defaults in quiet type."""

from collections.abc import Callable
from datetime import timedelta

from django.contrib import admin
from django.utils.html import format_html

from scheduler_app.admin import formats
from scheduler_app.admin.job_columns import status_of
from scheduler_app.models import Job
from scheduler_app.policies import DEFAULTS, CatchUp, Overlap, Policies

TOLD_RETRIES = 3

OVERLAP = {
    Overlap.SKIP: "If the job still runs, the next occurrence is skipped.",
    Overlap.ALLOW: "If the job still runs, the next occurrence starts beside it.",
    Overlap.QUEUE: "If the job still runs, one occurrence waits for its end; others are skipped.",
    Overlap.CANCEL_PREVIOUS: "If the job still runs, it is cancelled for the next occurrence.",
}
CATCH_UP = {
    CatchUp.SKIP: "Overdue occurrences do not run.",
    CatchUp.ONCE: "Of overdue occurrences, the latest runs.",
    CatchUp.ALL: "Overdue occurrences run, oldest first: the latest {} at most.",
}


class PolicyWords:
    """Fields for jobs that went through `attach_statuses`."""

    @admin.display(description="overlap")
    def overlap_words(self, job: Job) -> str:
        return _words(job, lambda policies: OVERLAP[Overlap(policies.overlap)])

    @admin.display(description="catch-up")
    def catch_up_words(self, job: Job) -> str:
        return _words(job, _catch_up)

    @admin.display(description="retries")
    def retry_words(self, job: Job) -> str:
        return _words(job, _retries)

    @admin.display(description="time limit")
    def timeout_words(self, job: Job) -> str:
        return _words(job, _timeout)

    @admin.display(description="runs in")
    def process_words(self, job: Job) -> str:
        return _words(job, _process)

    @admin.display(description="after failures")
    def failure_words(self, job: Job) -> str:
        return _words(job, _failures)

    @admin.display(description="overridden")
    def override_words(self, job: Job) -> str:
        """Say what people have set, and what the code declares."""
        status = status_of(job)
        told = [
            f"{name} {value!r} (the code declares {status.declared.get(name)!r})"
            for name, value in sorted(status.overrides.items())
        ]
        return ", ".join(told) if told else _quiet("Nothing: as the code declares.")

    @admin.display(description="jitter")
    def jitter_words(self, job: Job) -> str:
        jitter = status_of(job).jitter
        return f"Up to {formats.jitter(jitter)}." if jitter else _quiet("None.")


def _words(job: Job, tell: Callable[[Policies], str]) -> str:
    words, default = tell(status_of(job).policies), tell(DEFAULTS)
    return _quiet(words) if words == default else words


def _catch_up(policies: Policies) -> str:
    return CATCH_UP[CatchUp(policies.catch_up)].format(policies.catch_up_limit)


def _retries(policies: Policies) -> str:
    if not policies.retries:
        return "None."
    waits = [policies.retry_after(attempt, draw=1) for attempt in range(1, policies.retries + 1)]
    told = [formats.round_length(wait) for wait in waits]
    first, last = ", ".join(told[:TOLD_RETRIES]), told[-1]
    further = f" \N{HORIZONTAL ELLIPSIS} {last}" if len(told) > TOLD_RETRIES else ""
    return f"{policies.retries}, after up to {first}{further}."


def _timeout(policies: Policies) -> str:
    return f"Killed after {_length(policies.timeout)}." if policies.timeout else "None."


def _process(policies: Policies) -> str:
    return "A process of its own." if policies.needs_process else "A thread of the scheduler."


def _failures(policies: Policies) -> str:
    number = policies.pause_on_failure
    if number <= 1:
        return "Paused after a failure." if number else "Continues."
    return f"Paused after {number} failures in a row."


def _length(seconds: float) -> str:
    return formats.round_length(timedelta(seconds=seconds))


def _quiet(text: str) -> str:
    return format_html('<span class="quiet">{}</span>', text)
