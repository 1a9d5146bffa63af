"""The history: what became of every occurrence and every request."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.paginator import Page, Paginator
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from scheduler_app.admin import formats
from scheduler_app.admin.readonly import OwnList
from scheduler_app.admin.run_actions import RunActions
from scheduler_app.admin.run_columns import LARGE, RunColumns, attach_interruptions
from scheduler_app.admin.run_filters import (
    EndedFilter,
    JobFilter,
    RunFilter,
    StateFilter,
    TriggerFilter,
)
from scheduler_app.admin.run_page import run_page
from scheduler_app.models import JobRun
from scheduler_app.status.run_search import FoundRuns, RunQuery, find_runs

LIVE_PART = "run"
"""The value of `part` that asks for the part of a run's page that is live."""


class Pages(NamedTuple):
    """What is listed, page by page."""

    ids: tuple[int, ...]
    rows: QuerySet[JobRun]
    """These runs, and others."""


class RunList(OwnList):
    """Asks status for what is looked for, which answers in bounded time."""

    found: FoundRuns

    def get_queryset(
        self, request: HttpRequest, exclude_parameters: Any = None
    ) -> QuerySet[JobRun]:
        (
            self.filter_specs,
            self.has_filters,
            unknown,
            _may_have_duplicates,
            self.has_active_filters,
        ) = self.get_filters(request)
        if unknown:
            raise IncorrectLookupParameters
        query = RunQuery(text=self.query.strip())
        for spec in self.filter_specs:
            query = spec.narrow(query) if isinstance(spec, RunFilter) else query
        self.found = find_runs(query)
        order = F("finished_at").desc(nulls_first=True), "-pk"
        rows = self.root_queryset.select_related(None).select_related("node")
        rows = rows.defer(*LARGE).order_by(*order)
        listed = rows.filter(pk__in=self.found.ids)
        vars(listed)["pages"] = Pages(self.found.ids, rows)
        return listed

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        attach_interruptions(self.result_list)

    @property
    def looked_back_to(self) -> str:
        at = self.found.looked_back_to
        return formats.moment(at) if at else ""


class FoundPaginator(Paginator):  # type: ignore[type-arg]  # generic for type checkers only
    """Counts what was found, not again what the database has, and reads the rows of one page. Of
    anything else, such as the history that Django keeps, it does what Django's does."""

    @cached_property
    def count(self) -> int:
        pages: Pages | None = vars(self.object_list).get("pages")
        return len(pages.ids) if pages else super().count

    def page(self, number: Any) -> Page[JobRun]:
        pages: Pages | None = vars(self.object_list).get("pages")
        if pages is None:
            return super().page(number)
        number = self.validate_number(number)
        begin = (number - 1) * self.per_page
        ids = pages.ids[begin : begin + self.per_page]
        return Page(pages.rows.filter(pk__in=ids), number, self)


@admin.register(JobRun)
class JobRunAdmin(RunColumns, RunActions):
    list_display = ("run", "outcome", "scheduled", "took", "where")
    list_display_links = None
    list_filter = (StateFilter, EndedFilter, TriggerFilter, JobFilter)
    list_per_page = 50
    search_fields = ("job_name", "message")
    search_help_text = gettext_lazy("Part of a job's name or of an error, or the number of a run.")
    show_full_result_count = False
    sortable_by = ()  # those that have not ended, then those that ended last: see find_runs
    fieldsets = ()
    paginator = FoundPaginator

    class Media:
        css = {"all": ("scheduler_app/run.css",)}
        js = ("scheduler_app/live.js", "scheduler_app/copy.js")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[RunList]:
        return RunList

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> JobRun | None:
        run = super().get_object(request, object_id, from_field)
        attach_interruptions([run] if run else [])
        return run

    def get_queryset(self, request: HttpRequest) -> QuerySet[JobRun]:
        return super().get_queryset(request).select_related("node", "live").defer("node__declares")

    def page_context(self, request: HttpRequest, row: JobRun) -> dict[str, Any]:
        name = _("Run %(run)s of %(job)s") % {"run": row.pk, "job": row.job_name}
        page = {"title": name, "subtitle": None, "page": run_page(request, row)}
        return super().page_context(request, row) | page

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        page = super().render_change_form(request, context, *args, **kwargs)
        if request.GET.get("part") == LIVE_PART and isinstance(page, TemplateResponse):
            page.template_name = "scheduler_app/admin/run_page.html"
        return page
