"""What a list of runs says: one method a column."""

import re
from collections.abc import Iterable

from django.contrib import admin
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from scheduler_app.admin import formats, relative
from scheduler_app.admin.readonly import links_of
from scheduler_app.explain.outcome import PUNCTUAL
from scheduler_app.models import JobRun, RunState, Trigger
from scheduler_app.status import InterruptedRun, interrupted_runs

LARGE = ("traceback", "metadata", "log", "node__declares")
"""Fields that no list reads."""
MODULES = re.compile(r"^(?:[a-z_]\w*\.)+(?=[A-Z]\w*(?:: |$))")
"""Where the class of an error is defined; a narrow column needs the room."""


class RunColumns:
    @admin.display(description=gettext_lazy("run"))
    def run(self, run: JobRun) -> str:
        """Show the job and the number, each with a link."""
        links = links_of(run)
        job = formats.link(links.job(run.job_name), run.job_name)
        number = formats.link(links.run(run.pk), f"#{run.pk}")
        return formats.two_lines(format_html("{} {}", number, job), attempt(run))

    @admin.display(description=gettext_lazy("result, error or reason"))
    def outcome(self, run: JobRun) -> str:
        message = formats.first_line(run.message)
        short = MODULES.sub("", message)
        told = format_html('<span class="why" title="{}">{}</span>', message, short)
        return format_html('<div class="outcome">{} {}</div>', result(run), told)

    @admin.display(description=gettext_lazy("scheduled for"))
    def scheduled(self, run: JobRun) -> str:
        """Show when it was due in its schedule, how late it started, and who asked for it."""
        notes = formats.joined(filter(None, (start(run), origin(run))), ", ")
        return formats.two_lines(relative.clock(run.scheduled_for, timezone.now()), notes)

    @admin.display(description=gettext_lazy("took"))
    def took(self, run: JobRun) -> str:
        if run.state != RunState.RUNNING or run.started_at is None:
            return formats.length(run.duration)
        return formats.two_lines(formats.length(timezone.now() - run.started_at), _("so far"))

    @admin.display(description=gettext_lazy("on"))
    def where(self, run: JobRun) -> str:
        if run.node is None:
            return formats.EMPTY
        node = formats.link(links_of(run).node(run.node.pk), run.node.name)
        return format_html('<span title="{}">{}</span>', run.node.name, node)


def attach_interruptions(runs: Iterable[JobRun]) -> None:
    """Give those of these runs whose scheduler died what result() shows of that."""
    running = {run.pk: run for run in runs if run.state == RunState.RUNNING}
    if not running:
        return
    for interrupted in interrupted_runs(pk__in=list(running)).values():
        for each in interrupted:
            vars(running[each.id])["interruption"] = each


def interruption(run: JobRun) -> InterruptedRun | None:
    """Return what attach_interruptions() gave this run."""
    died: InterruptedRun | None = vars(run).get("interruption")
    return died


def badge(run: JobRun) -> str:
    """Return its state, coloured."""
    if interruption(run):
        return formats.label("interrupted")
    return formats.label(run.state)


def result(run: JobRun) -> str:
    """Return the state, whether its scheduler died, and whether the run is asked to end."""
    died = interruption(run)
    asked = run.state == RunState.RUNNING and run.cancel_requested_at is not None
    told = (formats.interruption(died) if died else "", _("asked to end") if asked else "")
    return formats.two_lines(badge(run), formats.joined((note for note in told if note), ", "))


def attempt(run: JobRun) -> str:
    """Return, for a retry, which attempt it is and of which run; else nothing."""
    if run.attempt < 2:
        return ""
    if run.first_attempt_id is None:
        return _("attempt %(number)s") % {"number": run.attempt}
    first = formats.link(links_of(run).run(run.first_attempt_id), f"#{run.first_attempt_id}")
    return format_html(_("attempt {number} of {first}"), number=str(run.attempt), first=first)


def start(run: JobRun) -> str:
    """Return how late it started, if it was not on time; or when it is due, if it waits for its
    time."""
    if run.state == RunState.QUEUED and run.due_at != run.scheduled_for:
        return format_html(_("due {}"), relative.clock(run.due_at, timezone.now()))
    if run.lateness is None or run.lateness < PUNCTUAL:
        return ""
    return _("%(length)s late") % {"length": formats.length(run.lateness)}


def origin(run: JobRun) -> str:
    """Return who asked for the run or, for a row of several occurrences, how many and since
    when."""
    if run.trigger == Trigger.MANUAL:
        return _("on request of %(who)s") % {"who": run.requested_by or _("an unknown person")}
    if run.occurrences < 2 or run.first_scheduled_for is None:
        return ""
    several = ngettext(
        "{number} occurrence since {first}", "{number} occurrences since {first}", run.occurrences
    )
    first = formats.moment(run.first_scheduled_for)
    return format_html(several, number=f"{run.occurrences}", first=first)
