"""The tables below the fields of a job or a run, each with a link to the rest of its rows."""

from typing import NamedTuple

from django.contrib.auth import get_permission_codename
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode

from scheduler_app.admin import formats
from scheduler_app.admin.run_columns import LARGE, attach_interruptions, result
from scheduler_app.models import AuditEntry, JobRun, SchedulePeriod

SHOWN = 10
RUN_HEADINGS = ("Run", "Result", "Scheduled for", "Started", "Late by", "Took", "Error or reason")


class Table(NamedTuple):
    """Cells are escaped already, or plain text."""

    title: str
    headings: tuple[str, ...]
    rows: list[tuple[str, ...]]
    more: str = ""
    """The address of all of it, if this is not all."""


def job_tables(request: HttpRequest, name: str) -> list[Table]:
    """Return the job's tables that the user may see."""
    makers = {JobRun: runs_table, AuditEntry: audit_table, SchedulePeriod: periods_table}
    return [make(name) for model, make in makers.items() if may_view(request, model)]


def runs_table(name: str) -> Table:
    """Return the last runs, those that have not ended first: two queries, because one could not use
    an index."""
    runs = JobRun.objects.filter(job_name=name).defer(*LARGE)
    active = runs.active().order_by("-id")[:SHOWN]
    finished = runs.finished().order_by("-finished_at")[:SHOWN]
    shown = (*active, *finished)[:SHOWN]
    attach_interruptions(shown)
    return Table(
        f"Last {SHOWN} runs",
        RUN_HEADINGS,
        [run_cells(run) for run in shown],
        changelist_url("jobrun", job_name=name),
    )


def run_cells(run: JobRun) -> tuple[str, ...]:
    return (
        formats.link(formats.run_url(run.pk), str(run.pk)),
        result(run),
        formats.moment(run.scheduled_for),
        formats.moment(run.started_at),
        formats.length(run.lateness),
        formats.length(run.duration),
        formats.first_line(run.message),
    )


def audit_table(name: str) -> Table:
    entries = AuditEntry.objects.filter(job_name=name)[:SHOWN]
    rows: list[tuple[str, ...]] = [
        (
            formats.moment(entry.at),
            entry.actor,
            entry.get_surface_display(),
            entry.get_action_display() + ("" if entry.changed else " (no change)"),
            formats.first_line(entry.reason),
        )
        for entry in entries
    ]
    headings = ("When", "Who", "Through", "Action", "Reason")
    return Table("Audit entries", headings, rows, changelist_url("auditentry", q=name))


def periods_table(name: str) -> Table:
    periods = SchedulePeriod.objects.filter(job_name=name).order_by("-id")[:SHOWN]
    headings = ("From", "Until", "State", "Schedule", "Because")
    return Table(
        "Schedule periods",
        headings,
        [period_cells(period) for period in periods],
        changelist_url("scheduleperiod", q=name),
    )


def period_cells(period: SchedulePeriod) -> tuple[str, ...]:
    return (
        formats.moment(period.begins_at),
        formats.moment(period.ends_at) if period.ends_at else "now",
        formats.label(period.state),
        schedule_of(period),
        formats.first_line(period.reason),
    )


def schedule_of(period: SchedulePeriod) -> str:
    """Return the schedule as it was written: an old one may not be computable today."""
    jitter = formats.jitter(period.jitter)
    told = f", jitter{formats.NBSP}{jitter}" if period.jitter else ""
    return format_html("{}{}", formats.schedule(period.cron, period.timezone), told)


def changelist_url(model: str, **query: str) -> str:
    return f"{reverse(f'admin:scheduler_app_{model}_changelist')}?{urlencode(query)}"


def may_view(request: HttpRequest, model: type[Model]) -> bool:
    """Return whether the user may look at the pages of this model."""
    codename = get_permission_codename("view", model._meta)
    return request.user.has_perm(f"{model._meta.app_label}.{codename}")
