"""A job's policies, and what people have set in place of the code's, in words."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from scheduler_app.admin import formats
from scheduler_app.policies import DEFAULTS, CatchUp, Overlap, Policies

TOLD_RETRIES = 3

OVERLAP = {
    Overlap.SKIP: gettext_lazy("If the job still runs, the next occurrence is skipped."),
    Overlap.ALLOW: gettext_lazy("If the job still runs, the next occurrence starts beside it."),
    Overlap.QUEUE: gettext_lazy(
        "If the job still runs, one occurrence waits for its end; others are skipped."
    ),
    Overlap.CANCEL_PREVIOUS: gettext_lazy(
        "If the job still runs, it is cancelled for the next occurrence."
    ),
}
CATCH_UP = {
    CatchUp.SKIP: gettext_lazy("Overdue occurrences do not run."),
    CatchUp.ONCE: gettext_lazy("Of overdue occurrences, the latest runs."),
    CatchUp.ALL: gettext_lazy("Overdue occurrences run, oldest first: the latest {} at most."),
}
LABELS = {
    "cron": gettext_lazy("schedule"),
    "timezone": gettext_lazy("time zone"),
    "jitter": gettext_lazy("jitter"),
    "overlap": gettext_lazy("overlap"),
    "catch_up": gettext_lazy("catch-up"),
    "catch_up_limit": gettext_lazy("catch-up at most"),
    "retries": gettext_lazy("retries"),
    "retry_delay": gettext_lazy("first retry after"),
    "retry_max_delay": gettext_lazy("longest wait for a retry"),
    "timeout": gettext_lazy("time limit"),
    "isolated": gettext_lazy("own process"),
    "pause_on_failure": gettext_lazy("pause after failures"),
}


class Row(NamedTuple):
    """One policy in words."""

    name: str
    words: str
    is_default: bool


class OverrideRow(NamedTuple):
    """What people have set of one field, and what the code declares."""

    name: str
    value: str
    declared: str


def policy_rows(policies: Policies) -> list[Row]:
    """Return all policies in words."""
    tellers: list[tuple[str, Callable[[Policies], str]]] = [
        (_("Overlap"), lambda chosen: str(OVERLAP[Overlap(chosen.overlap)])),
        (_("Catch-up"), _catch_up),
        (_("Retries"), _retries),
        (_("Time limit"), _timeout),
        (_("Runs in"), _process),
        (_("After failures"), _failures),
    ]
    return [Row(name, tell(policies), tell(policies) == tell(DEFAULTS)) for name, tell in tellers]


def override_rows(overrides: Mapping[str, Any], declared: Mapping[str, Any]) -> list[OverrideRow]:
    """Return what people have set in place of the code's declaration."""
    return [
        OverrideRow(label(name), value_words(value), value_words(declared.get(name)))
        for name, value in overrides.items()
    ]


def label(name: str) -> str:
    """Return what people call this field of a declaration."""
    return str(LABELS.get(name, name.replace("_", " ")))


def value_words(value: Any) -> str:
    """Return a field's value as it is typed."""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if value is None:
        return _("none")
    return f"{value:g}" if isinstance(value, float) else str(value)


def _catch_up(policies: Policies) -> str:
    return str(CATCH_UP[CatchUp(policies.catch_up)]).format(policies.catch_up_limit)


def _retries(policies: Policies) -> str:
    if not policies.retries:
        return _("None.")
    number = policies.retries
    told = [_wait(policies, attempt) for attempt in range(1, min(number, TOLD_RETRIES) + 1)]
    first = ", ".join(told)
    last = f" \N{HORIZONTAL ELLIPSIS} {_wait(policies, number)}"
    further = last if number > TOLD_RETRIES else ""
    words = _("%(retries)d, after up to %(waits)s.")
    return words % {"retries": number, "waits": f"{first}{further}"}


def _wait(policies: Policies, attempt: int) -> str:
    """Return the longest wait after this attempt; a row changed by hand may hold any number."""
    try:
        return formats.round_length(policies.retry_after(attempt, draw=1))
    except (OverflowError, ValueError):
        return f"{min(policies.retry_delay, policies.retry_max_delay):g}{formats.NBSP}s"


def _timeout(policies: Policies) -> str:
    if not policies.timeout:
        return _("None.")
    try:
        limit = formats.round_length(timedelta(seconds=policies.timeout))
    except (OverflowError, ValueError):  # as above
        limit = f"{policies.timeout:g}{formats.NBSP}s"
    return _("Killed after %s.") % limit


def _process(policies: Policies) -> str:
    return _("A process of its own.") if policies.needs_process else _("A thread of the scheduler.")


def _failures(policies: Policies) -> str:
    number = policies.pause_on_failure
    if not number:
        return _("Continues.")
    words = ngettext("Paused after a failure.", "Paused after %(n)d failures in a row.", number)
    return words % {"n": number}
