"""The history: what became of every occurrence and every request."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest

from scheduler_app.admin.run_actions import RunActions
from scheduler_app.admin.run_columns import LARGE, RunColumns, attach_interruptions, hangs
from scheduler_app.admin.tables import attempts_tables
from scheduler_app.models import Job, JobRun

MOST_JOBS = 100
OUTCOME = {
    "asked_to_end": "cancel_requested_at",
    "error": "message",
    "error_traceback": "traceback",
    "values": "metadata",
    "output": "log",
}
"""Fields of a run's page, and the columns that they are made of."""


class JobFilter(admin.SimpleListFilter):
    """Takes the names from the jobs: asking the history for them would read all of it."""

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


class RunList(ChangeList):
    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        attach_interruptions(self.result_list)


@admin.register(JobRun)
class JobRunAdmin(RunColumns, RunActions):
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
    fieldsets = (
        (None, {"fields": ("job", "result", "attempt_of", "cause", "node")}),
        ("Moments", {"fields": ("scheduled", "due", "queued", "started", "finished")}),
    )

    def get_fieldsets(self, request: HttpRequest, obj: JobRun | None = None) -> Any:
        """Show only those parts of a run's outcome that it has."""
        told = tuple(field for field, column in OUTCOME.items() if getattr(obj, column, None))
        outcome = (("Outcome", {"fields": told}),) if told else ()
        advice = ((None, {"fields": ("takes_long",)}),) if obj is not None and hangs(obj) else ()
        return (*advice, *self.fieldsets, *outcome)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return RunList

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> JobRun | None:
        run = super().get_object(request, object_id, from_field)
        attach_interruptions([run] if run else [])
        return run

    def get_queryset(self, request: HttpRequest) -> QuerySet[JobRun]:
        return super().get_queryset(request).defer(*LARGE)

    def page_context(self, request: HttpRequest, row: JobRun) -> dict[str, Any]:
        return super().page_context(request, row) | {"tables": attempts_tables(row)}
