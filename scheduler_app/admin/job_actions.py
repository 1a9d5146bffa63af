"""Pause, resume and run now: each through control, each behind a permission of its own. The list
asks first what is meant: names, reason, end, and what it will do."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from scheduler_app import control
from scheduler_app.admin.actions import ActingAdmin, Action, ActionResult
from scheduler_app.admin.job_columns import status_of
from scheduler_app.admin.job_forms import ActForm, PauseForm, ResumeForm
from scheduler_app.control import Actor
from scheduler_app.models import Job, bulk
from scheduler_app.text import LONGEST_LIST, is_storable

Change = Callable[..., control.Changes]


def _on_jobs(
    change: Change, done: Any, unchanged_message: Any = "", needs_scheduler: bool = True
) -> Callable[..., Iterator[ActionResult]]:
    def perform(names: list[str], by: Actor, reason: str) -> Iterator[ActionResult]:
        changes = change(names, by=by, reason=reason)
        for name in changes.changed:
            yield ActionResult(messages.SUCCESS, str(done), name, needs_scheduler)
        for name in changes.unchanged:
            yield ActionResult(messages.WARNING, str(unchanged_message), name)
        for error in changes.refused.values():
            yield ActionResult(messages.ERROR, "", str(error))

    return perform


PAUSED, PAUSED_ALREADY = gettext_lazy("Paused"), gettext_lazy("Paused already")
RESUMED, NOT_PAUSED = gettext_lazy("Resumed"), gettext_lazy("Not paused")
QUEUED = gettext_lazy("Queued, to run as soon as possible")

PAUSE = Action(
    "pause",
    gettext_lazy("Pause"),
    "pause_job",
    _on_jobs(control.pause_many, PAUSED, PAUSED_ALREADY, needs_scheduler=False),
)
RESUME = Action(
    "resume",
    gettext_lazy("Resume"),
    "resume_job",
    _on_jobs(control.resume_many, RESUMED, NOT_PAUSED),
)
TRIGGER = Action(
    "trigger", gettext_lazy("Run now"), "trigger_job", _on_jobs(control.trigger_many, QUEUED)
)
BY_NAME = {action.name: action for action in (PAUSE, RESUME, TRIGGER)}
FORMS: dict[str, type[ActForm]] = {"pause": PauseForm, "resume": ResumeForm, "trigger": ActForm}


def with_choices(action: Action, chosen: dict[str, Any]) -> Action:
    """Return the action as the form's other fields want it."""
    if action is PAUSE and chosen.get("until"):
        change = partial(control.pause_many, until=chosen["until"])
        done = _on_jobs(change, PAUSED, PAUSED_ALREADY, needs_scheduler=False)
        return replace(action, perform=done)
    if action is RESUME and chosen.get("catch_up"):
        change = partial(control.resume_many, catch_up=chosen["catch_up"])
        return replace(action, perform=_on_jobs(change, RESUMED, NOT_PAUSED))
    return action


class JobActions(ActingAdmin[Job]):
    """The three actions on the selected jobs of the list, each with a page that asks first."""

    actions = ("pause", "resume", "trigger")
    row_actions = (PAUSE, RESUME, TRIGGER)

    def useful_actions(self, row: Job) -> list[Action]:
        now = status_of(row)
        useful = [RESUME if now.is_paused else PAUSE]
        return useful if now.is_orphaned else [TRIGGER, *useful]

    def has_pause_permission(self, request: HttpRequest) -> bool:
        return PAUSE.allowed(request)

    def has_resume_permission(self, request: HttpRequest) -> bool:
        return RESUME.allowed(request)

    def has_trigger_permission(self, request: HttpRequest) -> bool:
        return TRIGGER.allowed(request)

    @admin.action(permissions=["pause"], description=gettext_lazy("Pause the selected jobs..."))
    def pause(self, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponse:
        return self._ask(request, PAUSE, list(queryset.values_list("name", flat=True)))

    @admin.action(permissions=["resume"], description=gettext_lazy("Resume the selected jobs..."))
    def resume(self, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponse:
        return self._ask(request, RESUME, list(queryset.values_list("name", flat=True)))

    @admin.action(permissions=["trigger"], description=gettext_lazy("Run the selected jobs now..."))
    def trigger(self, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponse:
        return self._ask(request, TRIGGER, list(queryset.values_list("name", flat=True)))

    def urls_of_many(self) -> list[URLPattern]:
        """Return the addresses to which the pages that ask are sent."""
        # No job's address begins so: an underscore of a name is written _5F there.
        return [
            path(
                f"_selected/{action.name}/",
                self.admin_site.admin_view(require_POST(partial(self.bulk_view, action))),
                name=f"scheduler_app_job_{action.name}_selected",
            )
            for action in self.row_actions
        ]

    def bulk_view(self, action: Action, request: HttpRequest) -> HttpResponse:
        """Carry out what the page asked about: on exactly the jobs that it named."""
        if not (self.has_view_permission(request) and action.allowed(request)):
            raise PermissionDenied
        names, form = _names(request.POST.get("names", "")), FORMS[action.name](request.POST)
        if not form.is_valid():
            return self._ask(request, action, names, form)
        chosen = dict(form.cleaned_data)
        self.act(request, with_choices(action, chosen), names, chosen["reason"])
        query = request.POST.get("query", "")
        address = reverse("admin:scheduler_app_job_changelist", current_app=self.admin_site.name)
        return HttpResponseRedirect(f"{address}?{query}" if query else address)

    def _ask(
        self,
        request: HttpRequest,
        action: Action,
        names: list[str],
        form: forms.Form | None = None,
    ) -> HttpResponse:
        """Show what would be done, and ask for the reason."""
        query = request.POST.get("query", request.GET.urlencode())
        context = {
            **self.admin_site.each_context(request),
            "title": _title(action, len(names)),
            "opts": self.opts,
            "media": self.media,
            "action": action,
            "form": form or FORMS[action.name](),
            "names": names[:LONGEST_LIST],
            "more": max(len(names) - LONGEST_LIST, 0),
            "all_names": json.dumps(names),
            "plan": _plan(action, names),
            "query": query,
            "address": reverse(
                f"admin:scheduler_app_job_{action.name}_selected",
                current_app=self.admin_site.name,
            ),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "scheduler_app/admin/job_bulk.html", context)


def _names(text: str) -> list[str]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return []
    known = found if isinstance(found, list) else []
    return [name for name in known if isinstance(name, str) and is_storable(name)]


def _title(action: Action, number: int) -> str:
    titles = {
        "pause": ngettext("Pause %d job", "Pause %d jobs", number),
        "resume": ngettext("Resume %d job", "Resume %d jobs", number),
        "trigger": ngettext("Run %d job now", "Run %d jobs now", number),
    }
    return titles[action.name] % number


def _plan(action: Action, names: list[str]) -> list[str]:
    """Return what will become of these jobs, as they are now."""
    found = Job.objects.filter(bulk.AnyOf("name", names))
    paused, orphaned = found.paused().count(), found.orphaned().count()
    there = found.count()
    plans = {
        "pause": [
            (there - paused, _("will stop firing. Running runs continue.")),
            (paused, _("are paused already; with an end, theirs is changed.")),
        ],
        "resume": [
            (paused, _("will fire again, from their next occurrence on.")),
            (there - paused, _("are not paused, and stay as they are.")),
        ],
        "trigger": [
            (there - orphaned, _("will be queued, to run as soon as a scheduler can.")),
            (orphaned, _("are refused: no running scheduler declares them.")),
        ],
    }
    gone = len(names) - there
    told = [*plans[action.name], (gone, _("are not there any more."))]
    return [f"{number:,} {words}" for number, words in told if number]
