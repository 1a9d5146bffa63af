"""How a job is, in a few sentences: what became of it last, and what comes next."""

from datetime import datetime, tzinfo

from django.utils.html import format_html
from django.utils.translation import gettext as _

from scheduler_app.admin import formats, relative
from scheduler_app.admin.job_columns import Shown
from scheduler_app.admin.links import Links
from scheduler_app.models import RunState
from scheduler_app.status import RunSummary
from scheduler_app.status.outlook import Outlook
from scheduler_app.text import clause


def sentences(shown: Shown, outlook: Outlook, zone: tzinfo, links: Links) -> list[str]:
    """Return them as HTML; times are in this zone."""
    told = [
        _running(shown, links),
        _last(shown, outlook, zone, links),
        _coming(shown, outlook, zone, links),
    ]
    return [each for each in told if each]


def _running(shown: Shown, links: Links) -> str:
    status, comparison = shown.status, shown.comparison
    if status.interrupted_runs:
        return format_html("{}.", formats.interruption(status.interrupted_runs[0], _("It")))
    if not status.is_running or comparison.last is None:
        return ""
    lasts = formats.length(comparison.last)
    run = formats.link(links.run(status.running_run_ids[0]), _("Running for %s") % lasts)
    if comparison.usual is None:
        return format_html("{}.", run)
    usual = _("usually %s") % formats.length(comparison.usual)
    stuck = f" {_('It may be stuck.')}" if comparison.is_stuck else ""
    return format_html("{}, {}.{}", run, usual, stuck)


def _last(shown: Shown, outlook: Outlook, zone: tzinfo, links: Links) -> str:
    last = shown.status.last_outcome
    if last is None:
        return "" if shown.status.is_running else format_html("{}", _("It has never run."))
    at = relative.clock(last.finished_at or last.scheduled_for, shown.now, zone)
    word = format_html('<span class="outcome-{}">{}</span>', last.state, _verb(last))
    verb = formats.link(links.run(last.id), word)
    what = format_html(_("{} at {}"), verb, at)
    if last.state == RunState.SUCCESS:
        return format_html(_("{} after {}."), what, formats.length(last.duration))
    if outlook.streak > 1 and last.state in (RunState.FAILED, RunState.LOST):
        what = format_html("{}, {}", what, _in_a_row(outlook.streak, len(shown.recent)))
    why = clause(last.message)
    return format_html('{}: <q class="error">{}</q>.', what, why) if why else f"{what}."


def _verb(run: RunSummary) -> str:
    words = {
        RunState.SUCCESS: _("Succeeded"),
        RunState.FAILED: _("Failed"),
        RunState.LOST: _("Lost"),
        RunState.CANCELLED: _("Cancelled"),
        RunState.SKIPPED: _("Skipped"),
        RunState.MISSED: _("Missed"),
    }
    return words[run.state]


def _in_a_row(streak: int, known: int) -> str:
    few = {2: _("second time running"), 3: _("third time running")}
    if streak >= known:
        return _("%d times running at least") % streak
    return few.get(streak) or _("%d times running") % streak


def _coming(shown: Shown, outlook: Outlook, zone: tzinfo, links: Links) -> str:
    status, now = shown.status, shown.now
    if status.problem:
        return format_html("{} {}", _("It does not fire:"), status.problem)
    if outlook.waiting_run and not status.is_paused:
        return _waiting(outlook, now, links)
    if status.is_paused:
        return ""
    if status.is_orphaned:
        return format_html("{}", _("It does not fire: no running scheduler declares it."))
    if status.next_run is None:
        return format_html("{}", _("It does not fire again."))
    if status.is_overdue:
        since = formats.length(now - status.next_run)
        return format_html("{}", _("Due for %s, and no scheduler has claimed it.") % since)
    if status.next_run <= now:
        return format_html("{}", _("Due now."))
    at = relative.clock(status.next_run, now, zone)
    words = _("Next try {}, at {}.") if outlook.streak else _("Next run {}, at {}.")
    return format_html(words, relative.relative(status.next_run, now), at)


def _waiting(outlook: Outlook, now: datetime, links: Links) -> str:
    run = formats.link(
        links.run(outlook.waiting_run or 0),
        _("Attempt %d") % outlook.waiting_attempt if outlook.waiting_attempt > 1 else _("A run"),
    )
    if outlook.waits_until and outlook.waits_until > now:
        return format_html(_("{} starts {}."), run, relative.relative(outlook.waits_until, now))
    return format_html(_("{} waits to start."), run)
