"""Filters above a list, each a line of links. A parameter that cannot be understood leads to the
list without it, as Django's own do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.contrib.admin import ListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from scheduler_app.models import database
from scheduler_app.status import windows

Choice = dict[str, Any]
SPANS: dict[str, Any] = {
    "12h": gettext_lazy("last 12 hours"),
    windows.DEFAULT: gettext_lazy("since yesterday evening"),
    "24h": gettext_lazy("last 24 hours"),
    "7d": gettext_lazy("last 7 days"),
}
YEARS = range(1971, 9000)


class LineFilter(ListFilter):
    template = "scheduler_app/admin/filter_line.html"
    parameters: tuple[str, ...] = ()

    def __init__(
        self,
        request: HttpRequest,
        params: dict[str, list[str]],
        model: type[Model],
        model_admin: Any,
    ) -> None:
        super().__init__(request, params, model, model_admin)
        given = {name: params.pop(name, [""])[-1] for name in self.parameters}
        self.chosen = {name: value for name, value in given.items() if value}

    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[str | None]:
        return list(self.parameters)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset

    def choice(self, changelist: ChangeList, text: Any, chosen: bool, **parameters: str) -> Choice:
        others = [name for name in (*self.parameters, PAGE_VAR) if name not in parameters]
        query = changelist.get_query_string(parameters, others)
        return {"selected": chosen, "query_string": query, "display": text}


class RangeFilter(LineFilter):
    """A range of time up to now, or one of one's own."""

    template = "scheduler_app/admin/filter_range.html"
    field = ""
    """The moment that lies in the range."""
    span = ""
    """The parameter whose value is one of SPANS."""

    def __init__(self, *args: Any) -> None:
        self.parameters = (self.span, f"{self.field}__gte", f"{self.field}__lt")
        super().__init__(*args)
        self.since, self.until = self._range()

    def _range(self) -> tuple[datetime | None, datetime | None]:
        span, since, until = (self.chosen.get(name, "") for name in self.parameters)
        if not span:
            return _moment(since), _moment(until)
        if span not in SPANS:
            raise IncorrectLookupParameters
        return windows.since(span, database.now(), timezone.get_current_timezone()), None

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        bounds = {f"{self.field}__gte": self.since, f"{self.field}__lt": self.until}
        return queryset.filter(**{lookup: at for lookup, at in bounds.items() if at})

    def choices(self, changelist: ChangeList) -> Iterator[Choice]:
        chosen = self.chosen.get(self.span)
        yield self.choice(changelist, _("Any time"), not self.chosen)
        for name, text in SPANS.items():
            yield self.choice(changelist, text, chosen == name, **{self.span: name})
        self.others = [
            (name, values[-1])
            for name, values in changelist.filter_params.items()
            if name not in (*self.parameters, PAGE_VAR)
        ]
        _span, since, until = self.parameters
        self.inputs = [
            (_("from"), since, _for_input(self.since)),
            (_("until"), until, _for_input(self.until)),
        ]
        self.zone = timezone.get_current_timezone_name()


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    # In an address that a person wrote, the plus of a zone is a space.
    day, time = text[:10], text[10:].lstrip(" T").replace(" ", "+")
    try:
        moment = parse_datetime(f"{day}T{time or '00:00'}")
    except ValueError as error:
        raise IncorrectLookupParameters from error
    if moment is None or moment.year not in YEARS:
        raise IncorrectLookupParameters
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment)


def _for_input(moment: datetime | None) -> str:
    return f"{timezone.localtime(moment):%Y-%m-%dT%H:%M}" if moment else ""
