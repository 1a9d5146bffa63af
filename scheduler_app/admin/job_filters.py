"""The list of jobs, narrowed to those that need a look."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from scheduler_app.models import Job
from scheduler_app.status import JobState, JobStatus, job_statuses

QUESTIONS: dict[str, tuple[str, Callable[[JobStatus], bool]]] = {
    "failing": ("last result not a success", lambda job: job.last_error is not None),
    "broken": ("schedule cannot be computed", lambda job: bool(job.problem)),
    "overdue": ("due, and not claimed", lambda job: job.is_overdue),
    "running": ("running", lambda job: job.is_running),
    "interrupted": ("interrupted", lambda job: bool(job.interrupted_runs)),
    "paused": ("paused", lambda job: job.is_paused),
    "orphaned": ("orphaned", lambda job: job.is_orphaned),
    "idle": ("idle", lambda job: job.state == JobState.IDLE),
}


class StateFilter(admin.SimpleListFilter):
    """Asks status, so that it finds a job under the very state that the list shows."""

    title = "state"
    parameter_name = "state"

    def lookups(
        self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]
    ) -> list[tuple[str, str]]:
        return [(name, text) for name, (text, _) in QUESTIONS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        if self.value() not in QUESTIONS:
            return queryset
        _, applies = QUESTIONS[str(self.value())]
        names = [job.name for job in job_statuses(Job.objects.all()) if applies(job)]
        return queryset.filter(name__in=names)
