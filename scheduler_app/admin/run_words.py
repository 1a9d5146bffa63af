"""What became of a run, in a sentence."""

from collections.abc import Iterable
from datetime import datetime

from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _

from scheduler_app.admin import formats
from scheduler_app.admin.links import Links
from scheduler_app.admin.run_bar import Usual
from scheduler_app.admin.run_columns import interruption
from scheduler_app.explain.outcome import PUNCTUAL
from scheduler_app.models import JobRun, RunState
from scheduler_app.text import clause


def outcome(run: JobRun, now: datetime) -> str:
    """Return what became of the run, or what it does now."""
    at = run.finished_at or now
    words = {
        "at": f"{timezone.localtime(at):%Y-%m-%d %H:%M:%S %Z}",
        "due": f"{timezone.localtime(run.due_at):%Y-%m-%d %H:%M:%S %Z}",
        "took": formats.length(at - run.started_at) if run.started_at else "",
        "why": clause(run.message),
        "node": run.node.name if run.node else "",
    }
    return _sentence(run, now) % words


def _sentence(run: JobRun, now: datetime) -> str:
    died = interruption(run)
    match RunState(run.state):
        case RunState.QUEUED if run.due_at > now:
            return _("Waits for its time, %(due)s.")
        case RunState.QUEUED if run.node:
            return _("Waits for a free slot on %(node)s, which has taken it.")
        case RunState.QUEUED:
            return _("Waits for a scheduler to take it.")
        case RunState.RUNNING if died:
            return _(
                "It was running when %(node)s died. The next scheduler that runs closes this run."
            )
        case RunState.RUNNING if run.cancel_requested_at:
            return _("Has been running for %(took)s on %(node)s, and is asked to end.")
        case RunState.RUNNING:
            return _("Has been running for %(took)s on %(node)s.")
        case RunState.SUCCESS:
            return _("Succeeded at %(at)s, after %(took)s.")
        case RunState.FAILED:
            return _("Failed at %(at)s, after %(took)s: %(why)s")
        case RunState.LOST:
            return _("Lost at %(at)s, after %(took)s: %(why)s")
        case RunState.CANCELLED if run.started_at:
            return _("Cancelled at %(at)s, after %(took)s: %(why)s")
        case RunState.CANCELLED:
            return _("Cancelled at %(at)s, before it started: %(why)s")
        case RunState.SKIPPED:
            return _("Did not run: it was skipped at %(at)s. %(why)s")
        case RunState.MISSED:
            return _("Did not run: it was missed. %(why)s")


def remarks(
    run: JobRun, later: Iterable[JobRun], usual: Usual | None, now: datetime, links: Links
) -> list[str]:
    """Return what is worth knowing besides; `later` are the later attempts at the same."""
    told: list[str] = []
    if good := next((other for other in later if other.state == RunState.SUCCESS), None):
        link = formats.link(links.run(good.pk), f"#{good.pk}")
        told.append(format_html(_("A later attempt at the same, {}, succeeded."), link))
    if run.lateness is not None and run.lateness >= PUNCTUAL:
        told.append(_("It started %(late)s late.") % {"late": formats.length(run.lateness)})
    if usual and run.started_at:
        took = formats.length((run.finished_at or now) - run.started_at)
        words = {"took": took, "usual": formats.length(usual.half)}
        if run.state == RunState.RUNNING:
            told.append(_("Its job usually takes %(usual)s.") % words)
        else:
            told.append(_("It took %(took)s, usually %(usual)s.") % words)
    return told
