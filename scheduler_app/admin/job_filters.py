"""The list of jobs, narrowed to those that need a look: above the list, one line each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from scheduler_app import registry
from scheduler_app.inspection import module
from scheduler_app.models import JobQuerySet, bulk, database
from scheduler_app.status import windows
from scheduler_app.status.questions import Question, asked

QUESTIONS: dict[Question, Any] = {
    Question.FAILED: _("failed since"),
    Question.MISSED: _("did not run since"),
    Question.LATE: _("late"),
    Question.FAILING: _("last not a success"),
    Question.NEVER: _("never ran"),
    Question.RUNNING: _("running"),
    Question.INTERRUPTED: _("interrupted"),
    Question.OVERDUE: _("overdue"),
    Question.PAUSED: _("paused"),
    Question.OVERRIDDEN: _("overridden"),
    Question.ORPHANED: _("orphaned"),
    Question.BROKEN: _("broken"),
    Question.IDLE: _("idle"),
}
SINCE = {
    "evening": _("yesterday 18:00"),
    "12h": _("12 h"),
    "24h": _("24 h"),
    "7d": _("7 d"),
}
OTHER, ELSEWHERE = "other", "-"


class LineFilter(admin.SimpleListFilter):
    template = "scheduler_app/admin/filter_line.html"


class StateFilter(LineFilter):
    """Asks status, so that it finds a job under the very state that the list shows."""

    title = _("Show")
    parameter_name = "state"

    def lookups(
        self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]
    ) -> list[tuple[str, str]]:
        self.since = windows.since(
            request.GET.get(SinceFilter.parameter_name, ""),
            database.now(),
            timezone.get_current_timezone(),
        )
        return [(question.value, text) for question, text in QUESTIONS.items()]

    def queryset(self, request: HttpRequest, queryset: JobQuerySet) -> JobQuerySet:
        try:
            question = Question(str(self.value()))
        except ValueError:
            return queryset
        return asked(queryset, question, self.since)


class SinceFilter(LineFilter):
    """Says what "since" means to the other filter; narrows nothing itself."""

    title = _("Since")
    parameter_name = "since"

    def lookups(
        self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]
    ) -> list[tuple[str, str]]:
        return list(SINCE.items())

    def choices(self, changelist: Any) -> Iterable[dict[str, Any]]:
        """Offer no "all": there is always one moment."""
        chosen = self.value() if self.value() in SINCE else windows.DEFAULT
        for value, text in SINCE.items():
            query = changelist.get_query_string({self.parameter_name: value})
            yield {"selected": value == chosen, "query_string": query, "display": text}

    def queryset(self, request: HttpRequest, queryset: JobQuerySet) -> JobQuerySet:
        return queryset


class AppFilter(LineFilter):
    """Narrows to the jobs that one installed app declares in the code of this process."""

    title = _("App")
    parameter_name = "app"

    def lookups(
        self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]
    ) -> list[tuple[str, Any]]:
        self.names = names_by_app()
        offered: list[tuple[str, Any]] = [
            (label, apps.get_app_config(label).verbose_name if label != OTHER else _("other"))
            for label in sorted(self.names)
        ]
        return [*offered, (ELSEWHERE, _("not in this code"))] if offered else []

    def queryset(self, request: HttpRequest, queryset: JobQuerySet) -> JobQuerySet:
        if self.value() == ELSEWHERE:
            known = [name for names in self.names.values() for name in names]
            return queryset.exclude(bulk.AnyOf("name", known))
        if self.value() in self.names:
            return queryset.filter(bulk.AnyOf("name", self.names[str(self.value())]))
        return queryset


def names_by_app() -> dict[str, list[str]]:
    """Return the jobs that each installed app declares, and those of no app (a management command,
    say)."""
    found = dict[str, list[str]]()
    for definition in registry.registry:
        app = apps.get_containing_app_config(module(definition.function))
        found.setdefault(app.label if app else OTHER, []).append(definition.name)
    return found
