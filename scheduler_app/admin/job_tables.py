"""What stands below the fields of a job: its last runs, and what people did to it."""

from typing import NamedTuple

from django.contrib.auth import get_permission_codename
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode

from scheduler_app.admin import formats
from scheduler_app.models import AuditEntry, JobRun

SHOWN = 10


class Table(NamedTuple):
    """A table below a job's fields, and where the rest of it is found."""

    title: str
    headings: tuple[str, ...]
    rows: list[tuple[str, ...]]
    more: str


def tables(request: HttpRequest, name: str) -> list[Table]:
    """The job's last runs and what people did to it, as far as the user may see them."""
    found = []
    if may_view(request, JobRun):
        found.append(runs_table(name))
    if may_view(request, AuditEntry):
        found.append(audit_table(name))
    return found


def runs_table(name: str) -> Table:
    """Runs that have not ended first: two queries, because one could not use an index."""
    runs = JobRun.objects.filter(job_name=name).defer("traceback", "metadata")
    active = runs.active().order_by("-id")[:SHOWN]
    finished = runs.finished().order_by("-finished_at")[:SHOWN]
    headings = ("Run", "Result", "Scheduled for", "Started", "Late by", "Took", "Error or reason")
    return Table(
        f"Last {SHOWN} runs",
        headings,
        [run_cells(run) for run in (*active, *finished)[:SHOWN]],
        changelist_url("jobrun", job_name=name),
    )


def run_cells(run: JobRun) -> tuple[str, ...]:
    return (
        formats.link(formats.run_url(run.pk), str(run.pk)),
        formats.label(run.state),
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


def changelist_url(model: str, **query: str) -> str:
    return f"{reverse(f'admin:scheduler_app_{model}_changelist')}?{urlencode(query)}"


def may_view(request: HttpRequest, model: type[Model]) -> bool:
    """Whether the user may look at the pages of this model."""
    codename = get_permission_codename("view", model._meta)
    return request.user.has_perm(f"{model._meta.app_label}.{codename}")
