"""The jobs: what each does, when it ran, what became of it, and the buttons to act."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest

from scheduler_app.admin.job_actions import JobActions
from scheduler_app.admin.job_columns import JobColumns, attach_statuses
from scheduler_app.admin.job_filters import StateFilter
from scheduler_app.admin.policy_words import PolicyWords
from scheduler_app.admin.tables import job_tables
from scheduler_app.models import Job


class JobList(ChangeList):
    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        attach_statuses(self.result_list)


@admin.register(Job)
class JobAdmin(JobColumns, PolicyWords, JobActions):
    list_display = (
        "name",
        "job_state",
        "schedule",
        "last_run",
        "last_result",
        "next_run",
        "run_count",
        "error_count",
        "not_run",
    )
    list_filter = (StateFilter,)
    search_fields = ("name", "description")
    fieldsets = (
        (None, {"fields": ("description", "job_state")}),
        ("Schedule", {"fields": ("schedule", "jitter_words", "next_run", "override_words")}),
        (
            "Policies",
            {
                "fields": (
                    "overlap_words",
                    "catch_up_words",
                    "retry_words",
                    "timeout_words",
                    "process_words",
                    "failure_words",
                )
            },
        ),
        ("Last run", {"fields": ("last_run", "last_result", "last_error", "last_metadata")}),
        ("Counters", {"fields": (("run_count", "error_count", "skip_count", "miss_count"),)}),
    )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return JobList

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Job | None:
        job = super().get_object(request, object_id, from_field)
        if job:
            attach_statuses([job])
        return job

    def page_context(self, request: HttpRequest, row: Job) -> dict[str, Any]:
        return super().page_context(request, row) | {"tables": job_tables(request, row.name)}
