"""The list of jobs: a page at a time, in the order that a column asks for."""

from collections.abc import Mapping
from typing import Any

from django.contrib.admin.views.main import ORDER_VAR, ChangeList
from django.db.models import OrderBy, QuerySet
from django.http import HttpRequest

from scheduler_app.admin.job_columns import attach_statuses
from scheduler_app.admin.readonly import OwnList, attach_links
from scheduler_app.models import bulk
from scheduler_app.status import questions
from scheduler_app.status.usual import Usual, usual

ORDERS = {
    "next_run": questions.next_due,
    "last_result": questions.last_finished,
}
"""Columns by which the database sorts, though the job's row does not have them."""
FIGURES = {
    "usual": questions.Figure.DURATION,
    "failure_rate": questions.Figure.FAILURE_RATE,
    "lateness": questions.Figure.LATENESS,
}
"""Columns of figures that no database can sort by: they are of histograms."""


class JobList(OwnList):
    def get_ordering_field(self, field_name: Any) -> Any:
        return (
            ORDERS[field_name]() if field_name in ORDERS else super().get_ordering_field(field_name)
        )

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        """Put what has no value last, whichever way the others are sorted."""
        ordering = super().get_ordering(request, queryset)
        for each in ordering:
            if isinstance(each, OrderBy) and hasattr(each.expression, "query"):
                each.nulls_first, each.nulls_last = False, True
        return ordering

    def get_results(self, request: HttpRequest) -> None:
        ChangeList.get_results(self, request)
        figure, is_descending = self._figure()
        known = usual() if figure else None
        if figure and known is not None:
            rows = self._by_figure(figure, known, is_descending)
        else:
            rows = list(self.result_list)
        attach_statuses(rows, known)
        attach_links(rows, request)
        self.result_list = rows

    def _figure(self) -> tuple[questions.Figure | None, bool]:
        """Return the figure to sort by, if the first column asked for is one."""
        _none, minus, number = self.params.get(ORDER_VAR, "").split(".")[0].rpartition("-")
        columns = dict(enumerate(map(str, self.list_display)))
        column = columns.get(int(number)) if number.isdecimal() and len(number) < 4 else None
        return FIGURES.get(column or ""), bool(minus)

    def _by_figure(
        self, figure: questions.Figure, known: Mapping[str, Usual], is_descending: bool
    ) -> list[Any]:
        """Return the page of jobs in the order of this figure; those without one come last."""
        names = list(self.queryset.order_by("name").values_list("name", flat=True))
        ordered = questions.ordered(names, known, figure, is_descending=is_descending)
        shown = ordered
        if self.multi_page and not (self.show_all and self.can_show_all):
            begin = (self.page_num - 1) * self.list_per_page
            shown = ordered[begin : begin + self.list_per_page]
        found = {job.name: job for job in self.queryset.filter(bulk.AnyOf("name", shown))}
        return [found[name] for name in shown if name in found]


def offer_orders(columns: type) -> None:
    """Have Django offer these columns for sorting."""
    for name in ORDERS:
        getattr(columns, name).admin_order_field = name
    for name in FIGURES:
        getattr(columns, name).admin_order_field = "name"
