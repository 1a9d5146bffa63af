"""The page on which people add a job: first what it calls, then the rest, with a preview."""

from typing import Any
from zoneinfo import available_timezones

from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from scheduler_app import control
from scheduler_app.admin.actions import refusal
from scheduler_app.admin.job_forms import AddForm, hidden
from scheduler_app.admin.job_pages import CONFIRM, JobPages, field_of, needs_scheduler, side
from scheduler_app.conf import scheduler_settings
from scheduler_app.control import Actor
from scheduler_app.cron import Schedule
from scheduler_app.exceptions import SchedulerError
from scheduler_app.models import Surface, database
from scheduler_app.registry import registry


class JobAdding(JobPages):
    """Adds jobs, of the functions that the code offers and the commands that settings allow."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        allowed = request.user.has_perm("scheduler_app.add_job")
        return allowed and offers_any() and self.has_view_permission(request)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        calls = request.GET.get("calls", "")
        if calls not in (*registry.functions, *scheduler_settings().addable_commands):
            return self._page(request, {"functions": sorted(registry.functions)})
        if request.method != "POST":
            return self._page(request, {"form": AddForm(calls=calls), "calls": calls})
        form = AddForm(request.POST, calls=calls)
        return (
            self._answer_add(request, form) if form.is_valid() else self._ask_again(request, form)
        )

    def _answer_add(self, request: HttpRequest, form: AddForm) -> HttpResponse:
        name, asked = form.cleaned_data["name"], form.declaration()
        reason = form.cleaned_data["reason"]
        try:
            if CONFIRM not in request.POST:
                control.plan_add(name, **asked)
                return self._ask_again(request, form, _plan(form))
            by = Actor(request.user.get_username(), Surface.ADMIN)
            control.add(name, by=by, reason=reason, **asked)
        except (SchedulerError, DatabaseError, InterfaceError) as error:
            form.add_error(field_of(error, form), refusal(error))
            return self._ask_again(request, form)
        level, text = needs_scheduler(_("Added"))
        self.message_user(request, f"{text.removesuffix('.')}: {name}.", level)
        return HttpResponseRedirect(self._row_page(name))

    def _ask_again(
        self, request: HttpRequest, form: AddForm, plan: dict[str, Any] | None = None
    ) -> HttpResponse:
        fields = {"form": form, "calls": form.calls, "plan": plan}
        return self._page(request, fields | {"hidden": hidden(form) if plan else {}})

    def _page(self, request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
        request.current_app = self.admin_site.name
        return TemplateResponse(
            request,
            "scheduler_app/admin/job_add.html",
            {
                **self.admin_site.each_context(request),
                "title": _("Add a job"),
                "opts": self.opts,
                "media": self.media,
                "commands": sorted(scheduler_settings().addable_commands),
                "zones": sorted(available_timezones()) if "form" in context else (),
                "list": self._list_page(),
                **context,
            },
        )


def _plan(form: AddForm) -> dict[str, Any]:
    """Return what the page shows of the job before it is added."""
    values = form.declaration()["values"]
    schedule = Schedule(
        values["cron"], values["timezone"], values["jitter"], form.cleaned_data["name"]
    )
    shown = side(_("It would fire"), schedule, database.now())
    return {"sides": [shown], "can_confirm": True}


def offers_any() -> bool:
    """Return whether there is anything that a job could call."""
    return bool(registry.functions or scheduler_settings().addable_commands)
