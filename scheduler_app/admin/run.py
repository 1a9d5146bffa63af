"""The history: what became of every occurrence and every request."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from scheduler_app.admin import formats
from scheduler_app.admin.readonly import ReadOnlyAdmin
from scheduler_app.models import Job, JobRun, Trigger

MOST_JOBS = 100


class JobFilter(admin.SimpleListFilter):
    """The names come from the jobs: to ask the history for them would read all of it."""

    title = "job"
    parameter_name = "job_name"

    def lookups(
        self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]
    ) -> Iterable[tuple[str, str]]:
        names = list(Job.objects.values_list("name", flat=True)[:MOST_JOBS])
        chosen = self.value()
        return [(name, name) for name in dict.fromkeys([*names, *([chosen] if chosen else [])])]

    def queryset(self, request: HttpRequest, queryset: QuerySet[JobRun]) -> QuerySet[JobRun]:
        name = self.value()
        return queryset.filter(job_name=name) if name else queryset


@admin.register(JobRun)
class JobRunAdmin(ReadOnlyAdmin[JobRun]):
    list_display = (
        "id",
        "job",
        "result",
        "scheduled",
        "started",
        "finished",
        "node",
        "why",
    )
    list_select_related = ("node",)
    list_filter = (("finished_at", admin.DateFieldListFilter), "state", "trigger", JobFilter)
    search_fields = ("job_name__exact",)
    search_help_text = "The whole name of a job."
    show_full_result_count = False
    sortable_by = ()  # only the order of the ids is cheap, however long the history
    fields = (
        "job",
        "result",
        "trigger",
        "requested_by",
        "scheduled",
        "due",
        "queued",
        "started",
        "finished",
        "node",
        "error",
        "error_traceback",
        "values",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[JobRun]:
        return super().get_queryset(request).defer("traceback", "metadata")

    @admin.display(description="job")
    def job(self, run: JobRun) -> str:
        return formats.link(formats.job_url(run.job_name), run.job_name)

    @admin.display(description="result")
    def result(self, run: JobRun) -> str:
        attempt = f"attempt {run.attempt}" if run.attempt > 1 else ""
        return formats.two_lines(formats.label(run.state), attempt)

    @admin.display(description="scheduled for")
    def scheduled(self, run: JobRun) -> str:
        return formats.two_lines(formats.moment(run.scheduled_for), origin(run))

    @admin.display(description="due, with jitter")
    def due(self, run: JobRun) -> str:
        return formats.moment(run.due_at)

    @admin.display(description="queued")
    def queued(self, run: JobRun) -> str:
        return formats.moment(run.created_at)

    @admin.display(description="started")
    def started(self, run: JobRun) -> str:
        late = f"{formats.length(run.lateness)} late" if run.lateness is not None else ""
        return formats.two_lines(formats.moment(run.started_at), late)

    @admin.display(description="finished")
    def finished(self, run: JobRun) -> str:
        took = formats.took(run.duration) if run.duration is not None else ""
        return formats.two_lines(formats.moment(run.finished_at), took)

    @admin.display(description="error or reason")
    def why(self, run: JobRun) -> str:
        return formats.first_line(run.message)

    @admin.display(description="error or reason")
    def error(self, run: JobRun) -> str:
        return formats.block(run.message)

    @admin.display(description="traceback")
    def error_traceback(self, run: JobRun) -> str:
        return formats.block(run.traceback)

    @admin.display(description="metadata")
    def values(self, run: JobRun) -> str:
        return formats.as_json(run.metadata)


def origin(run: JobRun) -> str:
    """Who asked for the run; or, of a row that stands for several occurrences, how many and since
    when."""
    if run.trigger == Trigger.MANUAL:
        return f"on request of {run.requested_by or 'somebody'}"
    if run.occurrences < 2 or run.first_scheduled_for is None:
        return ""
    first = formats.moment(run.first_scheduled_for)
    return format_html("{} occurrences since {}", run.occurrences, first)
