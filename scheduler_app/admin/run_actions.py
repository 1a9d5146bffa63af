"""Cancel: through control, behind a permission of its own."""

from collections.abc import Iterator

from django.contrib import admin, messages
from django.http import HttpRequest

from scheduler_app import control
from scheduler_app.admin.actions import ActingAdmin, Action, ActionResult
from scheduler_app.control import Actor
from scheduler_app.models import JobRun, RunState
from scheduler_app.models.run import ACTIVE, JobRunQuerySet


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


CANCEL = Action("cancel", "Cancel this run", "cancel_jobrun", cancel_runs)


class RunActions(ActingAdmin[JobRun]):
    """Cancelling, on the selected runs of the list and on the page of one run."""

    actions = ("cancel",)
    row_actions = (CANCEL,)

    def useful_actions(self, row: JobRun) -> tuple[Action, ...]:
        return (CANCEL,) if row.state in ACTIVE and row.cancel_requested_at is None else ()

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return CANCEL.allowed(request)

    @admin.action(permissions=["cancel"], description="Cancel the selected runs")
    def cancel(self, request: HttpRequest, queryset: JobRunQuerySet) -> None:
        """Cancel those that have not ended; only count the others, as a whole history may be
        selected."""
        ended = queryset.finished().count()
        active = list(queryset.active().order_by("id").values_list("pk", flat=True))
        self.act(request, CANCEL, map(str, active))
        if ended:
            runs = "1 run" if ended == 1 else f"{ended} runs"
            self.message_user(request, f"Ended already: {runs}.", messages.WARNING)
