"""The list of jobs: a page at a time, in the order that a column asks for."""

from typing import Any

from django.contrib.admin.views.main import ChangeList
from django.db.models import OrderBy, QuerySet
from django.http import HttpRequest

from scheduler_app.admin.job_columns import with_statuses
from scheduler_app.admin.readonly import OwnList, attach_links
from scheduler_app.status import questions

ORDERS = {
    "next_run": questions.next_due,
    "last_result": questions.last_finished,
}
"""Columns by which the database sorts, though the job's row does not have them."""


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
        self.result_list = with_statuses(self.result_list)
        attach_links(self.result_list, request)


def offer_orders(columns: type) -> None:
    """Have Django offer these columns for sorting."""
    for name in ORDERS:
        getattr(columns, name).admin_order_field = name
