"""What the list of jobs says: one method a column, each a value of status, all on one line."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.contrib import admin
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from scheduler_app.admin import formats, relative, strips
from scheduler_app.admin.readonly import links_of
from scheduler_app.explain.comparison import Comparison, compare
from scheduler_app.models import Job, RunState, database
from scheduler_app.status import JobState, JobStatus
from scheduler_app.status.current import statuses_of
from scheduler_app.status.recent import RecentRun, recent_runs
from scheduler_app.status.usual import Usual


class Shown(NamedTuple):
    """What the columns show of one job."""

    status: JobStatus
    recent: list[RecentRun]
    comparison: Comparison
    now: datetime


def attach_statuses(jobs: Sequence[Job], known: Mapping[str, Usual] | None = None) -> None:
    """Give these rows of status.annotated() what the columns show, in a constant number of
    queries. `known`: what is usual for them, if that has been read."""
    now, names = database.now(), [job.name for job in jobs]
    statuses, recent = statuses_of(jobs, names, now), recent_runs(names)
    attach(jobs, statuses, recent, compare(statuses, recent, now, known=known), now)


def attach(
    jobs: Sequence[Job],
    statuses: Sequence[JobStatus],
    recent: Mapping[str, list[RecentRun]],
    comparisons: Mapping[str, Comparison],
    now: datetime,
) -> None:
    """Have shown_of() know this for these jobs."""
    for job, status in zip(jobs, statuses, strict=True):
        shown = Shown(status, recent[job.name], comparisons[job.name], now)
        vars(job).update(status=status, shown=shown)


def status_of(job: Job) -> JobStatus:
    """Return what `attach_statuses` gave the job."""
    status: JobStatus = vars(job)["status"]
    return status


def shown_of(job: Job) -> Shown:
    shown: Shown = vars(job)["shown"]
    return shown


class JobColumns:
    """Columns for jobs that went through `attach_statuses`."""

    @admin.display(description=gettext_lazy("state"))
    def job_state(self, job: Job) -> str:
        """Show the state, and what else is true of the job at the same time; since when and why is
        under the mouse."""
        status = status_of(job)
        note = "; ".join(notes(status))
        return badges(status, note)

    @admin.display(description=gettext_lazy("last result"))
    def last_result(self, job: Job) -> str:
        """Show the last outcome, how long ago that was, and the first line of its error."""
        status, _recent, _comparison, now = shown_of(job)
        outcome = status.last_outcome
        if outcome is None:
            return format_html('<span class="quiet">{}</span>', _("never ran"))
        at = outcome.finished_at or outcome.scheduled_for
        label = RunState(outcome.state).label
        word = format_html('<span class="outcome-{}">{}</span>', outcome.state, label)
        told = formats.first_line(outcome.message) if outcome.state != RunState.SUCCESS else ""
        return format_html(
            '{} {} <span class="why" title="{}">{}</span>',
            formats.link(links_of(job).run(outcome.id), word),
            relative.relative(at, now),
            told,
            told,
        )

    @admin.display(description=gettext_lazy("last 20"))
    def strip(self, job: Job) -> str:
        return strips.strip(shown_of(job).recent)

    @admin.display(description=gettext_lazy("next run"))
    def next_run(self, job: Job) -> str:
        status, now = status_of(job), shown_of(job).now
        at = status.next_run
        if at is None or status.is_paused:
            ends = status.paused_until if status.is_paused else None
            if ends is None:
                return formats.EMPTY
            until = format_html(_("paused until {}"), relative.clock(ends, now))
            return format_html('<span class="quiet">{}</span>', until)
        if at <= now:
            return format_html(_("due {}"), relative.relative(at, now))
        return format_html(
            '{} <span class="quiet">{}</span>',
            relative.relative(at, now),
            relative.clock(at, now),
        )

    @admin.display(description=gettext_lazy("usual"))
    def usual(self, job: Job) -> str:
        """Show how long the job usually takes, marked if it took, or takes, much longer."""
        comparison = shown_of(job).comparison
        if comparison.usual is None:
            return formats.EMPTY
        length = short(comparison.usual)
        if not comparison.is_slow or comparison.last is None:
            return length
        told = _("%(last)s, usually %(usual)s") % {
            "last": formats.length(comparison.last),
            "usual": formats.length(comparison.usual),
        }
        mark = _("stuck?") if comparison.is_stuck else _("slow")
        return format_html('<span class="slow" title="{}">{}</span> {}', told, mark, length)

    @admin.display(description=gettext_lazy("fails"))
    def failure_rate(self, job: Job) -> str:
        rate = shown_of(job).comparison.failure_rate
        if rate is None:
            return formats.EMPTY
        text = f"{rate:.0%}" if rate >= 0.01 or rate == 0 else "<1%"
        css = "fails" if rate >= 0.1 else ("some" if rate else "quiet")
        return format_html('<span class="{}">{}</span>', css, text)

    @admin.display(description=gettext_lazy("late by"))
    def lateness(self, job: Job) -> str:
        late = shown_of(job).comparison.lateness
        if late is None:
            return formats.EMPTY
        css = "quiet" if late < timedelta(seconds=1) else "some"
        return format_html('<span class="{}">{}</span>', css, short(late))


def short(of: timedelta) -> str:
    """Return a length as it fits into a narrow column."""
    return formats.length(of) if of < timedelta(minutes=1) else relative.rough(of)


def badges(status: JobStatus, hint: str = "") -> str:
    """Return the state, and what else is true of the job at the same time."""
    truths = (
        (JobState.PAUSED, status.is_paused),
        (JobState.OVERDUE, status.is_overdue),
        (JobState.RUNNING, status.is_running),
        (JobState.INTERRUPTED, bool(status.interrupted_runs)),
        (JobState.ORPHANED, status.is_orphaned),
    )
    also = [state for state, true in truths if true and state != status.state]
    return formats.joined(formats.label(state, hint) for state in (status.state, *also))


def notes(status: JobStatus) -> list[str]:
    """Return since when the state holds, and why, as plain text."""
    told = []
    if status.problem:
        told.append(status.problem)
    if status.paused_at:
        told.append(pause_words(status))
    if status.is_overdue and status.next_run:
        told.append(_("due since %s") % relative.absolute(status.next_run))
    if status.is_orphaned:
        told.append(_("no running scheduler declares it"))
    for run in status.interrupted_runs[:1]:
        words = _("run %(run)s was running when %(node)s died, last heard of at %(at)s")
        at = relative.absolute(run.heartbeat_at)
        told.append(words % {"run": run.id, "node": run.node, "at": at})
    return told


def pause_words(status: JobStatus) -> str:
    """Return since when the job is paused, by whom, until when and why."""
    told = _("paused since %s") % relative.absolute(status.paused_at or timezone.now())
    if status.paused_by:
        told += " " + _("by %s") % status.paused_by
    if status.paused_until:
        told += " " + _("until %s") % relative.absolute(status.paused_until)
    return f"{told}: {status.pause_reason}" if status.pause_reason else told
