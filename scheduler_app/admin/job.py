"""The jobs: what each does, when it ran, what became of it, and the buttons to act."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest

from scheduler_app.admin import job_page
from scheduler_app.admin.job_add import JobAdding
from scheduler_app.admin.job_columns import JobColumns
from scheduler_app.admin.job_filters import AppFilter, SinceFilter, StateFilter
from scheduler_app.admin.job_list import JobList, offer_orders
from scheduler_app.models import Job
from scheduler_app.status.current import annotated

offer_orders(JobColumns)


@admin.register(Job)
class JobAdmin(JobColumns, JobAdding):
    list_display = (
        "name",
        "job_state",
        "last_result",
        "strip",
        "next_run",
        "usual",
        "failure_rate",
        "lateness",
    )
    list_filter = (StateFilter, SinceFilter, AppFilter)
    search_fields = ("name", "description")
    list_per_page = 50
    show_full_result_count = False
    fields = ()

    class Media:
        css = {"all": ("scheduler_app/admin.css", "scheduler_app/job.css")}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        return annotated(Job.objects.order_by("name"))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return JobList

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Job | None:
        job = super().get_object(request, object_id, from_field)
        if job:
            job_page.attach_status(job)
        return job

    def page_context(self, request: HttpRequest, row: Job) -> dict[str, Any]:
        return (
            super().page_context(request, row)
            | job_page.page(request, row)
            | {"title": row.name, "subtitle": None, "buttons": self.buttons(request, row)}
        )
