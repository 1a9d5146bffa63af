"""Pause, resume and run now: each through control, each behind a permission of its own."""

from collections.abc import Callable, Iterator

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from scheduler_app import control
from scheduler_app.admin.actions import ActingAdmin, Action, ActionResult
from scheduler_app.admin.job_columns import status_of
from scheduler_app.control import Actor
from scheduler_app.models import Job

Change = Callable[..., control.Changes]


def _on_jobs(
    change: Change, done: str, unchanged_message: str = "", needs_scheduler: bool = True
) -> Callable[..., Iterator[ActionResult]]:
    def perform(names: list[str], by: Actor, reason: str) -> Iterator[ActionResult]:
        changes = change(names, by=by, reason=reason)
        for name in changes.changed:
            yield ActionResult(messages.SUCCESS, done, name, needs_scheduler)
        for name in changes.unchanged:
            yield ActionResult(messages.WARNING, unchanged_message, name)
        for error in changes.refused.values():
            yield ActionResult(messages.ERROR, "", str(error))

    return perform


PAUSE = Action(
    "pause",
    "Pause",
    "pause_job",
    _on_jobs(control.pause_many, "Paused", "Paused already", needs_scheduler=False),
)
RESUME = Action(
    "resume", "Resume", "resume_job", _on_jobs(control.resume_many, "Resumed", "Not paused")
)
TRIGGER = Action(
    "trigger",
    "Run now",
    "trigger_job",
    _on_jobs(control.trigger_many, "Queued, to run as soon as possible"),
)


class JobActions(ActingAdmin[Job]):
    """The three actions, on the selected jobs of the list and on the page of one job."""

    actions = ("pause", "resume", "trigger")
    row_actions = (PAUSE, RESUME, TRIGGER)

    def useful_actions(self, row: Job) -> list[Action]:
        now = status_of(row)
        useful = [RESUME if now.is_paused else PAUSE]
        return useful if now.is_orphaned else [*useful, TRIGGER]

    def has_pause_permission(self, request: HttpRequest) -> bool:
        return PAUSE.allowed(request)

    def has_resume_permission(self, request: HttpRequest) -> bool:
        return RESUME.allowed(request)

    def has_trigger_permission(self, request: HttpRequest) -> bool:
        return TRIGGER.allowed(request)

    @admin.action(permissions=["pause"], description="Pause the selected jobs")
    def pause(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        self.act(request, PAUSE, queryset.values_list("name", flat=True))

    @admin.action(permissions=["resume"], description="Resume the selected jobs")
    def resume(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        self.act(request, RESUME, queryset.values_list("name", flat=True))

    @admin.action(permissions=["trigger"], description="Run the selected jobs now")
    def trigger(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        self.act(request, TRIGGER, queryset.values_list("name", flat=True))
