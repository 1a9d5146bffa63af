"""Pause, resume and run now: each through control, each behind a permission of its own."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import islice

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.views.decorators.http import require_POST

from scheduler_app import control
from scheduler_app.admin import formats
from scheduler_app.admin.readonly import ReadOnlyAdmin
from scheduler_app.control import Actor
from scheduler_app.exceptions import SchedulerError
from scheduler_app.models import Job, Surface

MOST_TOLD = 20


@dataclass(frozen=True, slots=True)
class Action:
    """What a person may do to a job; `name` is also the verb of its permission."""

    name: str
    button: str
    perform: Callable[..., object]
    done: str
    vain: str = ""
    """What is said when the job was in that state already."""

    def allowed(self, request: HttpRequest) -> bool:
        return request.user.has_perm(f"scheduler_app.{self.name}_job")


PAUSE = Action("pause", "Pause", control.pause, "Paused", "Paused already")
RESUME = Action("resume", "Resume", control.resume, "Resumed", "Not paused")
TRIGGER = Action("trigger", "Run now", control.trigger, "Queued, to run as soon as possible")
ACTIONS = (PAUSE, RESUME, TRIGGER)


class ReasonForm(forms.Form):
    """Why somebody acts. A text area, because Enter in an input would press the first button."""

    reason = forms.CharField(
        required=False, max_length=500, widget=forms.Textarea({"rows": 1, "cols": 60})
    )


class JobActions(ReadOnlyAdmin[Job]):
    """The three actions, on the selected jobs of the list and on the page of one job."""

    actions = ("pause", "resume", "trigger")

    def has_pause_permission(self, request: HttpRequest) -> bool:
        return PAUSE.allowed(request)

    def has_resume_permission(self, request: HttpRequest) -> bool:
        return RESUME.allowed(request)

    def has_trigger_permission(self, request: HttpRequest) -> bool:
        return TRIGGER.allowed(request)

    @admin.action(permissions=["pause"], description="Pause the selected jobs")
    def pause(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        self._act(request, PAUSE, queryset.values_list("name", flat=True))

    @admin.action(permissions=["resume"], description="Resume the selected jobs")
    def resume(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        self._act(request, RESUME, queryset.values_list("name", flat=True))

    @admin.action(permissions=["trigger"], description="Run the selected jobs now")
    def trigger(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        self._act(request, TRIGGER, queryset.values_list("name", flat=True))

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(
                f"<path:object_id>/{action.name}/",
                self.admin_site.admin_view(require_POST(partial(self.action_view, action))),
                name=f"scheduler_app_job_{action.name}",
            )
            for action in ACTIONS
        ]
        return own + super().get_urls()

    def action_view(self, action: Action, request: HttpRequest, object_id: str) -> HttpResponse:
        """What a button on the page of a job does."""
        if not (self.has_view_permission(request) and action.allowed(request)):
            raise PermissionDenied
        name = unquote(object_id)
        form = ReasonForm(request.POST)
        if form.is_valid():
            self._act(request, action, [name], form.cleaned_data["reason"])
        else:
            self.message_user(request, " ".join(map(str, form.errors["reason"])), messages.ERROR)
        return HttpResponseRedirect(formats.job_url(name))

    def _act(
        self, request: HttpRequest, action: Action, names: Iterable[str], reason: str = ""
    ) -> None:
        by = Actor(request.user.get_username(), Surface.ADMIN)
        done: list[str] = []
        vain: list[str] = []
        refused: list[str] = []
        for name in names:
            try:
                changed = action.perform(name, by=by, reason=reason)
            except SchedulerError as error:
                refused.append(str(error))
            else:
                (done if changed else vain).append(name)
        if done:
            self.message_user(request, f"{action.done}: {some(done)}.", messages.SUCCESS)
        if vain:
            self.message_user(request, f"{action.vain}: {some(vain)}.", messages.WARNING)
        if refused:
            self.message_user(request, some(refused, separator=" "), messages.ERROR)


def some(texts: list[str], separator: str = ", ") -> str:
    """The first of the texts, and how many there are besides."""
    told = separator.join(islice(texts, MOST_TOLD))
    untold = len(texts) - MOST_TOLD
    return f"{told}{separator}and {untold} more" if untold > 0 else told
