"""The list of jobs, narrowed to those that need a look: above the list, one line each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from scheduler_app.models import Job, database
from scheduler_app.status import windows
from scheduler_app.status.questions import Question, asked

QUESTIONS: dict[Question, Any] = {
    Question.FAILED: _("failed since"),
    Question.MISSED: _("missed since"),
    Question.LATE: _("late"),
    Question.SLOW: _("slow"),
    Question.STUCK: _("stuck?"),
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
NONE = "-"
MOST_APPS = 40


class LineFilter(admin.SimpleListFilter):
    template = "scheduler_app/admin/filter_line.html"


class StateFilter(LineFilter):
    """Asks status, so that it finds a job under the very state that the list shows."""

    title = _("Show")
    parameter_name = "state"

    def lookups(
        self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]
    ) -> list[tuple[str, Any]]:
        self.since = windows.since(
            request.GET.get(SinceFilter.parameter_name, ""),
            database.now(),
            timezone.get_current_timezone(),
        )
        return [(question.value, text) for question, text in QUESTIONS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
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
        return [(value, str(text)) for value, text in SINCE.items()]

    def choices(self, changelist: Any) -> Iterator[Any]:
        """Offer no "all": there is always one moment."""
        chosen = self.value() if self.value() in SINCE else windows.DEFAULT
        for value, text in SINCE.items():
            query = changelist.get_query_string({self.parameter_name: value})
            yield {"selected": value == chosen, "query_string": query, "display": text}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset


class AppFilter(LineFilter):
    """Narrows to the jobs that one Django app declares."""

    title = _("App")
    parameter_name = "app"

    def lookups(
        self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]
    ) -> list[tuple[str, Any]]:
        labels = Job.objects.order_by("app").values_list("app", flat=True).distinct()[:MOST_APPS]
        return [(label or NONE, label or _("none")) for label in labels]

    def has_output(self) -> bool:
        return len(self.lookup_choices) > 1

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        label = self.value()
        return queryset.filter(app="" if label == NONE else label) if label else queryset
