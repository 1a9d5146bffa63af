"""The filters above the list of runs. Their parameters are Django's own lookups, as far as there is
one, so that a link to a filtered list is easily made; status answers, in bounded time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from scheduler_app.admin.line_filters import Choice, LineFilter, RangeFilter
from scheduler_app.models import RunState, Trigger
from scheduler_app.models.run import DID_NOT_SUCCEED
from scheduler_app.status.run_search import RunQuery


class RunFilter(LineFilter):
    """Narrows the question that is put to status, not a QuerySet."""

    def narrow(self, query: RunQuery) -> RunQuery:
        """Return the question with what is chosen here."""
        raise NotImplementedError


class StateFilter(RunFilter):
    title = gettext_lazy("Result")
    parameters = ("state__in", "state__exact")

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        several = self.chosen.get("state__in", "").split(",")
        one = self.chosen.get("state__exact")
        self.states = frozenset([one] if one else filter(None, several))
        if not self.states <= set(RunState.values):
            raise IncorrectLookupParameters

    def narrow(self, query: RunQuery) -> RunQuery:
        return replace(query, states=self.states)

    def choices(self, changelist: ChangeList) -> Iterator[Choice]:
        yield self.choice(changelist, _("All"), not self.states)
        bad = {"state__in": ",".join(DID_NOT_SUCCEED)}
        is_bad = self.states == set(DID_NOT_SUCCEED)
        yield self.choice(changelist, _("did not succeed"), is_bad, **bad)
        for state in RunState:
            chosen = self.states == {state.value}
            yield self.choice(changelist, state.label, chosen, state__exact=state.value)


class EndedFilter(RangeFilter, RunFilter):
    title = gettext_lazy("Ended")
    field, span = "finished_at", "ended"

    def narrow(self, query: RunQuery) -> RunQuery:
        return replace(query, since=self.since, until=self.until)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset


class TriggerFilter(RunFilter):
    title = gettext_lazy("Trigger")
    parameters = ("trigger__exact",)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.trigger = self.chosen.get("trigger__exact", "")
        if self.trigger and self.trigger not in Trigger.values:
            raise IncorrectLookupParameters

    def narrow(self, query: RunQuery) -> RunQuery:
        return replace(query, trigger=self.trigger)

    def choices(self, changelist: ChangeList) -> Iterator[Choice]:
        yield self.choice(changelist, _("All"), not self.trigger)
        for trigger in Trigger:
            chosen = self.trigger == trigger
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

    def choices(self, changelist: ChangeList) -> Iterator[Choice]:
        name = self.chosen["job_name"]
        yield self.choice(changelist, _("All"), False)
        yield self.choice(changelist, name, True, job_name=name)
