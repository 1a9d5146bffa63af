"""The page of one job: how it is and what comes next, before anybody scrolls; then its past."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from scheduler_app.admin import formats, job_plots, relative
from scheduler_app.admin.job_actions import TRIGGER
from scheduler_app.admin.job_columns import Shown, attach, badges, short, shown_of
from scheduler_app.admin.job_sentence import sentences
from scheduler_app.admin.job_words import override_rows, policy_rows
from scheduler_app.admin.links import Links
from scheduler_app.admin.readonly import links_of
from scheduler_app.admin.run_columns import result
from scheduler_app.cron import Schedule, Uncomputable, find_zone
from scheduler_app.exceptions import JobNotFound
from scheduler_app.explain.comparison import compare
from scheduler_app.explain.explain import explain
from scheduler_app.explain.upcoming import upcoming
from scheduler_app.models import AuditEntry, Job, JobRun, RunState, SchedulePeriod, database
from scheduler_app.status import JobStatus
from scheduler_app.status.current import statuses_of
from scheduler_app.status.outlook import active_runs, last_runs, outlook
from scheduler_app.status.recent import recent
from scheduler_app.text import shown as shown_value

RUNS, OCCURRENCES, HISTORY, PLOTTED = 10, 10, 12, 100
FEW = 3
FIRST_YEAR, LAST_YEAR = 1900, 2199
"""Of other years no schedule can be computed."""
UTC = ZoneInfo("UTC")
BEGINNING = (AuditEntry.Action.PAUSE, AuditEntry.Action.RESUME, AuditEntry.Action.EDIT)
SAME_MOMENT = timedelta(seconds=2)
"""An act and the period that it began are written in one transaction."""


@dataclass(frozen=True, slots=True)
class RunRow:
    """One line of the last runs. All but the address is HTML."""

    url: str
    number: int
    at: str
    result: str
    bar: str
    took: str
    late: str
    why: str
    make_up: str
    """The query that fills the form to run it, if it did not run."""


@dataclass(frozen=True, slots=True)
class OccurrenceRow:
    at: str
    wait: str
    delay: str
    notes: list[str]
    is_off: bool
    """The job is paused, or orphaned, so that it does not fire then."""
    is_crowded: bool
    """It is one of many that may begin before the run before them has ended."""


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """Something that a person did, or a change of the schedule."""

    moment: datetime
    at: str
    what: str
    who: str
    why: str


def job_zone(timezone: str) -> ZoneInfo:
    """Return the zone of a job; UTC if this machine does not know it."""
    zone = find_zone(timezone)
    return UTC if isinstance(zone, Uncomputable) else zone


class Runs(NamedTuple):
    """The runs that the page is made of."""

    active: list[JobRun]
    """Those due first come first."""
    last: list[JobRun]
    """The newest first."""


def attach_status(job: Job) -> None:
    """Give this row of status.annotated() what its page shows."""
    now, name = database.now(), job.name
    statuses = statuses_of([job], [name], now)
    runs = Runs(active_runs(name, RUNS), last_runs(name, PLOTTED))
    recents = {name: [recent(run) for run in reversed(runs.last)]}
    begun = {run.pk: run.started_at for run in runs.active if run.started_at}
    attach([job], statuses, recents, compare(statuses, recents, now, begun), now)
    vars(job)["runs"] = runs


def page(request: HttpRequest, job: Job) -> dict[str, Any]:
    """Return what the page of this job shows."""
    shown = shown_of(job)
    status, now, zone = shown.status, shown.now, job_zone(shown.status.timezone)
    links, all_runs = links_of(job), vars(job)["runs"]
    may_see_runs = links.may("view_jobrun")
    comparison = shown.comparison
    occurrences = _occurrences(shown, zone)
    runs = [run for run in shown.recent if run.duration is not None]
    return {
        "status": status,
        "zone": zone.key,
        "abbreviation": relative.abbreviation(now, zone),
        "badges": badges(status),
        "sentences": sentences(shown, outlook(shown.recent, all_runs.active), zone, links),
        "pause": _pause(shown, zone),
        "overridden": override_rows(status.overrides, status.declared),
        "schedule_code": formats.schedule(status.cron, status.timezone),
        "jitter": formats.jitter(status.jitter) if status.jitter else "",
        "runs": _runs(all_runs, shown, zone, links) if may_see_runs else None,
        "all_runs": links.list("jobrun", job_name=status.name),
        "occurrences": occurrences,
        "crowded": _crowded(shown, occurrences),
        "explained": _explained(status.name, request.GET.get("moment", ""), zone),
        "asked_moment": request.GET.get("moment", ""),
        "plots": [
            plot
            for plot in (
                job_plots.duration_plot(runs, comparison.usual, comparison.long, now, zone, links),
                job_plots.lateness_plot(runs, comparison.lateness, now, zone, links),
            )
            if plot and may_see_runs
        ],
        "history": _history(links, status.name, now, zone),
        "reported": _reported(status) if may_see_runs else "",
        "policies": policy_rows(status.policies),
        "comparison": comparison,
        "can_run": TRIGGER.allowed(request) and not status.is_orphaned,
        "usual": formats.length(comparison.usual),
    }


def _reported(status: JobStatus) -> str:
    """Return the values that the last run reported, as JSON."""
    values = status.last_run.metadata if status.last_run else None
    return formats.as_json(values) if values else ""


def _pause(shown: Shown, zone: ZoneInfo) -> dict[str, str] | None:
    status, now = shown.status, shown.now
    if status.paused_at is None:
        return None
    ends = status.paused_until
    return {
        "by": status.paused_by,
        "reason": status.pause_reason,
        "since": relative.clock(status.paused_at, now, zone),
        "ends": relative.clock(ends, now, zone) if ends else "",
        "ends_in": relative.relative(ends, now) if ends else "",
    }


def _runs(runs: Runs, shown: Shown, zone: ZoneInfo, links: Links) -> list[RunRow]:
    """Return the last runs, those that have not ended first."""
    rows = [*reversed(runs.active), *runs.last][:RUNS]
    died = {each.id: each for each in shown.status.interrupted_runs}
    for run in rows:
        vars(run)["interruption"] = died.get(run.pk)
    took = {run.pk: _took(run, shown.now) for run in rows}
    longest = max([span for span in took.values() if span], default=timedelta())
    comparison = shown.comparison
    longest = max(longest, comparison.long or timedelta()) * 1.02
    return [
        RunRow(
            url=links.run(run.pk),
            number=run.pk,
            at=relative.short_clock(run.started_at or run.scheduled_for, shown.now, zone),
            result=result(run),
            bar=job_plots.duration_bar(
                took[run.pk], comparison.usual, comparison.long, longest, run.state
            ),
            took=formats.length(took[run.pk]),
            late=short(run.lateness) if run.lateness is not None else formats.EMPTY,
            why=formats.first_line(run.message),
            make_up=_make_up(run),
        )
        for run in rows
    ]


def _took(run: JobRun, now: datetime) -> timedelta | None:
    if run.state == RunState.RUNNING and run.started_at:
        return now - run.started_at
    return run.duration


def _make_up(run: JobRun) -> str:
    if run.state not in (RunState.MISSED, RunState.SKIPPED) or not run.is_scheduled:
        return ""
    first, last = run.first_scheduled_for or run.scheduled_for, run.scheduled_for
    return f"{first.timestamp():.0f}-{last.timestamp() + 1:.0f}"


def _occurrences(shown: Shown, zone: ZoneInfo) -> list[OccurrenceRow]:
    status, now = shown.status, shown.now
    fires = Schedule(status.cron, status.timezone, status.jitter, status.name).compute()
    if isinstance(fires, Uncomputable):
        return []
    found = upcoming(fires, status.name, now, OCCURRENCES, shown.comparison.long)
    rows = []
    is_crowded = sum(each.begins_during_last for each in found) > FEW
    for each in found:
        fire = each.previewed.fire
        delay = fire.due_at - fire.scheduled_for
        notes = [each.previewed.note] if each.previewed.note else []
        if each.begins_during_last and not is_crowded:
            notes.append(_("the run before may not have ended"))
        if each.others:
            words = ngettext("with %d other job", "with %d other jobs", each.others)
            notes.append(words % each.others)
        ends = status.paused_until
        is_paused = status.is_paused and not (ends and ends < fire.due_at)
        rows.append(
            OccurrenceRow(
                at=occurrence(fire.scheduled_for, zone),
                wait=relative.relative(fire.due_at, now),
                delay=f"+{formats.length(delay)}" if delay else "",
                notes=notes,
                is_off=is_paused or status.is_orphaned,
                is_crowded=is_crowded,
            )
        )
    return rows


def _crowded(shown: Shown, occurrences: list[OccurrenceRow]) -> str:
    """Return, once for all, that runs may not have ended when the next is due."""
    long = shown.comparison.long
    if not long or not any(row.is_crowded for row in occurrences):
        return ""
    words = _("Runs may not have ended when the next is due: 19 of 20 take at most %s.")
    return words % formats.length(long)


def occurrence(at: datetime, zone: ZoneInfo) -> str:
    """Return date, weekday and time of an occurrence, with the zone's abbreviation."""
    local = at.astimezone(zone)
    day = relative.weekday(local)
    seconds = ":%S" if local.second else ""
    text = f"{day} {local.strftime(f'%Y-%m-%d %H:%M{seconds} %Z')}"
    return format_html('<time datetime="{}">{}</time>', local.isoformat(), text)


def _explained(name: str, text: str, zone: ZoneInfo) -> str:
    """Return what became, or will become, of the occurrence of this moment; empty if none is
    asked."""
    if not text:
        return ""
    try:
        moment = datetime.fromisoformat(text)
        if FIRST_YEAR <= moment.year <= LAST_YEAR:
            return explain(name, moment)
    except (ValueError, OverflowError, JobNotFound):
        pass
    return _("Bad moment %s: use a date and a time such as 2026-11-24T03:15.") % shown_value(text)


def _history(links: Links, name: str, now: datetime, zone: ZoneInfo) -> dict[str, Any] | None:
    """Return what people did, and which schedule held from when on: one row for both where the one
    was due to the other."""
    acts, periods = list[AuditEntry](), list[SchedulePeriod]()
    rest = dict[str, str]()
    if links.may("view_auditentry"):
        acts = list(AuditEntry.objects.filter(job_name=name)[:HISTORY])
        rest[_("All audit entries")] = links.list("auditentry", q=name)
    if links.may("view_scheduleperiod"):
        rows = SchedulePeriod.objects.filter(job_name=name).order_by("-id")
        periods = list(rows[:HISTORY])
        rest[_("All schedule periods")] = links.list("scheduleperiod", q=name)
    if not rest:
        return None
    begun = {entry.pk: _begun_by(entry, periods) for entry in acts}
    told = [_act(entry, begun[entry.pk], now, zone) for entry in acts]
    known = {period.pk for period in begun.values() if period}
    told += [_period(period, now, zone) for period in periods if period.pk not in known]
    told.sort(key=lambda row: row.moment, reverse=True)
    return {"rows": told[:HISTORY], "links": rest}


def _begun_by(entry: AuditEntry, periods: Iterable[SchedulePeriod]) -> SchedulePeriod | None:
    """Return the period that this act began."""
    if not entry.changed or entry.action not in BEGINNING:
        return None
    near = (each for each in periods if abs(each.begins_at - entry.at) < SAME_MOMENT)
    return next((each for each in near if entry.actor in each.reason), None)


def _act(
    entry: AuditEntry, begun: SchedulePeriod | None, now: datetime, zone: ZoneInfo
) -> HistoryRow:
    what = entry.get_action_display()
    told = what if entry.changed else _("%s (no change)") % what
    if begun:
        told = format_html("{} {} {}", told, formats.label(begun.state), formats.schedule_of(begun))
    return HistoryRow(
        moment=entry.at,
        at=relative.clock(entry.at, now, zone),
        what=told,
        who=f"{entry.actor}, {entry.get_surface_display()}",
        why=entry.reason,
    )


def _period(period: SchedulePeriod, now: datetime, zone: ZoneInfo) -> HistoryRow:
    return HistoryRow(
        moment=period.begins_at,
        at=relative.clock(period.begins_at, now, zone),
        what=format_html("{} {}", formats.label(period.state), formats.schedule_of(period)),
        who="",
        why=period.reason,
    )
