"""Cancel and run again: through control, each behind a permission."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from scheduler_app import control
from scheduler_app.admin import formats
from scheduler_app.admin.actions import ActingAdmin, Action, ActionResult, ReasonForm
from scheduler_app.admin.links import Links
from scheduler_app.admin.run_columns import LARGE, badge
from scheduler_app.admin.run_page import can_be_retried
from scheduler_app.control import Actor
from scheduler_app.models import JobRun, RunState
from scheduler_app.models.run import ACTIVE, JobRunQuerySet

SHOWN = 100
"""How many runs the confirmation page lists."""


def cancel_runs(keys: list[str], by: Actor, reason: str) -> Iterator[ActionResult]:
    """Cancel the runs of these primary keys, and say how far that has come."""
    changes = control.cancel_many([int(key) for key in keys], by=by, reason=reason)
    rows = JobRun.objects.filter(pk__in=changes.changed + changes.unchanged)
    states = dict(rows.values_list("pk", "state"))
    for key in changes.changed:
        is_ended = states[int(key)] == RunState.CANCELLED
        words = "Cancelled" if is_ended else "Asked to end"
        yield ActionResult(messages.SUCCESS, words, f"run {key}", needs_scheduler=not is_ended)
    for key in changes.unchanged:
        is_running = states[int(key)] == RunState.RUNNING
        words = "Asked to end already" if is_running else "Ended already"
        yield ActionResult(messages.WARNING, words, f"run {key}")
    for error in changes.refused.values():
        yield ActionResult(messages.ERROR, "", str(error))


def retry_runs(keys: list[str], by: Actor, reason: str) -> Iterator[ActionResult]:
    """Run again the runs of these primary keys."""
    changes = control.retry_many([int(key) for key in keys], by=by, reason=reason)
    for key in changes.changed:
        words = _("Queued again, to run as soon as possible")
        yield ActionResult(messages.SUCCESS, words, f"run {key}", needs_scheduler=True)
    for error in changes.refused.values():
        yield ActionResult(messages.WARNING, "", str(error))


CANCEL = Action("cancel", gettext_lazy("Cancel this run"), "cancel_jobrun", cancel_runs)
RETRY = Action("retry", gettext_lazy("Run again"), "trigger_job", retry_runs)


class RunActions(ActingAdmin[JobRun]):
    """Both actions, on the selected runs of the list and on the page of one run."""

    actions = ("retry", "cancel")
    row_actions = (RETRY, CANCEL)

    def useful_actions(self, row: JobRun) -> tuple[Action, ...]:
        if row.state in ACTIVE:
            return (CANCEL,) if row.cancel_requested_at is None else ()
        return (RETRY,) if can_be_retried(row) else ()

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return CANCEL.allowed(request)

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return RETRY.allowed(request)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.retry_view))
        name = f"{self.opts.app_label}_{self.opts.model_name}_retry_selected"
        return [path("run-again/", view, name=name), *super().get_urls()]

    @admin.action(permissions=["cancel"], description=gettext_lazy("Cancel the selected runs"))
    def cancel(self, request: HttpRequest, queryset: JobRunQuerySet) -> None:
        """Cancel those that have not ended; only count the others, as a whole history may be
        selected."""
        ended = queryset.finished().count()
        active = list(queryset.active().order_by("id").values_list("pk", flat=True))
        self.act(request, CANCEL, map(str, active))
        if ended:
            runs = "1 run" if ended == 1 else f"{ended} runs"
            self.message_user(request, f"Ended already: {runs}.", messages.WARNING)

    @admin.action(
        permissions=["retry"], description=gettext_lazy("Run the selected runs again ...")
    )
    def retry(self, request: HttpRequest, queryset: JobRunQuerySet) -> HttpResponse:
        """Ask whether these are to be run again, and why."""
        return self.confirmation(request, list(queryset.defer(*LARGE)), ReasonForm())

    def confirmation(
        self, request: HttpRequest, runs: list[JobRun], form: ReasonForm
    ) -> HttpResponse:
        good = [run for run in runs if run.state in (*ACTIVE, RunState.SUCCESS)]
        again = [run for run in runs if run not in good]
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Run again?"),
            "runs": [_confirmed(run, Links(request)) for run in again[:SHOWN]],
            "number": len(again),
            "untold": max(0, len(again) - SHOWN),
            "left_out": len(good),
            "jobs": len({run.job_name for run in again}),
            "keys": ",".join(str(run.pk) for run in again),
            "query": request.META.get("QUERY_STRING", ""),
            "form": form,
            "list": Links(request).list("jobrun"),
            "action": reverse(
                "admin:scheduler_app_jobrun_retry_selected", current_app=self.admin_site.name
            ),
            "media": self.media,
        }
        return TemplateResponse(request, "scheduler_app/admin/run_confirmation.html", context)

    def retry_view(self, request: HttpRequest) -> HttpResponse:
        """Run again what was confirmed, and return to the list."""
        if not (self.has_view_permission(request) and RETRY.allowed(request)):
            raise PermissionDenied
        self.stay_on_site(request)
        keys = [key for key in request.POST.get("keys", "").split(",") if self.is_key(key)]
        form = ReasonForm(request.POST)
        if not form.is_valid():
            self.message_user(request, " ".join(map(str, form.errors["reason"])), messages.ERROR)
        elif keys:
            self.act(request, RETRY, keys, form.cleaned_data["reason"])
        page, query = Links(request).list("jobrun"), request.POST.get("query", "")
        return HttpResponseRedirect(f"{page}?{query}" if query else page)


def _confirmed(run: JobRun, links: Links) -> dict[str, str]:
    """Return what the confirmation page says of a run."""
    return {
        "job": run.job_name,
        "number": formats.link(links.run(run.pk), f"#{run.pk}"),
        "badge": badge(run),
        "scheduled": formats.moment(run.scheduled_for),
        "why": formats.first_line(run.message),
    }
