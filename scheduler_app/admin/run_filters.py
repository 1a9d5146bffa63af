"""The filters above the list of runs. Their parameters are Django's own lookups, as far as there is
one, so that a link to a filtered list is easily made; status answers, in bounded time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
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

from scheduler_app.models import RunState, Trigger
from scheduler_app.models.run import DID_NOT_SUCCEED
from scheduler_app.status.run_search import RunQuery

Choice = dict[str, Any]
EVENING = 18
"""The hour at which yesterday evening begins."""
YEARS = range(1971, 9000)


class RunFilter(ListFilter):
    """One row of the filters. It narrows the question that is put to status, not a QuerySet."""

    template = "scheduler_app/admin/filter_line.html"
    parameters: tuple[str, ...] = ()

    def __init__(
        self,
        request: HttpRequest,
        params: dict[str, list[str]],
        model: type[Model],
        model_admin: Any,
    ) -> None:
        super().__init__(request, params, model, model_admin)  # type: ignore[arg-type]
        self.chosen = {
            name: params.pop(name)[-1] for name in self.parameters if params.get(name, [""])[-1]
        }
        for name in self.parameters:
            params.pop(name, None)
        self.query = self.narrow(RunQuery())  # what cannot be understood is found out here

    def narrow(self, query: RunQuery) -> RunQuery:
        """Return the question with what is chosen here."""
        raise NotImplementedError

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


class StateFilter(RunFilter):
    title = gettext_lazy("Result")
    parameters = ("state__in", "state__exact")

    def narrow(self, query: RunQuery) -> RunQuery:
        one, several = self.chosen.get("state__exact"), self.chosen.get("state__in", "")
        states = frozenset([one] if one else filter(None, several.split(",")))
        if not states <= set(RunState.values):
            raise IncorrectLookupParameters
        return replace(query, states=states)

    def choices(self, changelist: ChangeList) -> Iterator[Choice]:
        states = self.query.states
        yield self.choice(changelist, _("All"), not states)
        bad = {"state__in": ",".join(DID_NOT_SUCCEED)}
        is_bad = states == set(DID_NOT_SUCCEED)
        yield self.choice(changelist, _("did not succeed"), is_bad, **bad)
        for state in RunState:
            chosen = states == {state.value}
            yield self.choice(changelist, state.label, chosen, state__exact=state.value)


class EndedFilter(RunFilter):
    title = gettext_lazy("Ended")
    template = "scheduler_app/admin/run_filter_ended.html"
    parameters = ("ended", "finished_at__gte", "finished_at__lt")

    def narrow(self, query: RunQuery) -> RunQuery:
        chosen = self.chosen.get("ended")
        if chosen:
            if chosen not in RANGES:
                raise IncorrectLookupParameters
            _text, begin = RANGES[chosen]
            return replace(query, since=begin(timezone.now()))
        since, until = (self._moment(name) for name in self.parameters[1:])
        return replace(query, since=since, until=until)

    def _moment(self, name: str) -> datetime | None:
        if name not in self.chosen:
            return None
        # In an address that a person wrote, the plus of a zone is a space.
        day, time = self.chosen[name][:10], self.chosen[name][10:].lstrip(" T").replace(" ", "+")
        try:
            moment = parse_datetime(f"{day}T{time or '00:00'}")
            if moment is None or moment.year not in YEARS:
                raise IncorrectLookupParameters
            return moment if timezone.is_aware(moment) else timezone.make_aware(moment)
        except ValueError as error:
            raise IncorrectLookupParameters from error

    def choices(self, changelist: ChangeList) -> Iterator[Choice]:
        yield self.choice(changelist, _("Any time"), not self.chosen)
        for name, (text, _begin) in RANGES.items():
            yield self.choice(changelist, text, self.chosen.get("ended") == name, ended=name)
        self.others = [
            (name, values[-1])
            for name, values in changelist.filter_params.items()
            if name not in (*self.parameters, PAGE_VAR)
        ]
        self.since, self.until = map(_for_input, (self.query.since, self.query.until))
        self.zone = timezone.get_current_timezone_name()


def _for_input(moment: datetime | None) -> str:
    return f"{timezone.localtime(moment):%Y-%m-%dT%H:%M}" if moment else ""


def _yesterday_evening(now: datetime) -> datetime:
    local = timezone.localtime(now)
    evening = local.replace(hour=EVENING, minute=0, second=0, microsecond=0, tzinfo=None)
    return timezone.make_aware(evening - timedelta(days=1))


RANGES: dict[str, tuple[Any, Any]] = {
    "12h": (gettext_lazy("last 12 hours"), lambda now: now - timedelta(hours=12)),
    "evening": (gettext_lazy("since yesterday evening"), _yesterday_evening),
    "24h": (gettext_lazy("last 24 hours"), lambda now: now - timedelta(hours=24)),
    "7d": (gettext_lazy("last 7 days"), lambda now: now - timedelta(days=7)),
}
"""Ranges of time that end now, by the value of `ended`."""


class TriggerFilter(RunFilter):
    title = gettext_lazy("Trigger")
    parameters = ("trigger__exact",)

    def narrow(self, query: RunQuery) -> RunQuery:
        trigger = self.chosen.get("trigger__exact", "")
        if trigger and trigger not in Trigger.values:
            raise IncorrectLookupParameters
        return replace(query, trigger=trigger)

    def choices(self, changelist: ChangeList) -> Iterator[Choice]:
        yield self.choice(changelist, _("All"), not self.chosen)
        for trigger in Trigger:
            chosen = self.query.trigger == trigger
            yield self.choice(changelist, trigger.label, chosen, trigger__exact=trigger.value)


class JobFilter(RunFilter):
    """Only there if a job is chosen, as links from its page do: for all others there is the
    search."""

    title = gettext_lazy("Job")
    parameters = ("job_name",)

    def narrow(self, query: RunQuery) -> RunQuery:
        return replace(query, job_name=self.chosen.get("job_name", ""))

    def has_output(self) -> bool:
        return bool(self.chosen)

    def choices(self, changelist: ChangeList) -> Iterable[Choice]:
        yield self.choice(changelist, _("All"), False)
        name = self.query.job_name
        yield self.choice(changelist, name, True, job_name=name)
