"""Cancel: through control, behind a permission of its own."""

from django.contrib import admin, messages
from django.http import HttpRequest

from scheduler_app import control, status
from scheduler_app.admin.actions import ActingAdmin, Action, Told
from scheduler_app.control import Actor
from scheduler_app.models import JobRun, RunState
from scheduler_app.models.run import ACTIVE, JobRunQuerySet


def cancel_run(key: str, by: Actor, reason: str) -> Told:
    """Cancel the run of this primary key, and tell how far that has come."""
    changed = control.cancel(int(key), by=by, reason=reason)
    state = status.run_summary(int(key)).state
    row = f"run {key}"
    if changed:
        words = "Cancelled" if state == RunState.CANCELLED else "Asked to end"
        return Told(messages.SUCCESS, words, row)
    words = "Asked to end already" if state == RunState.RUNNING else "Ended already"
    return Told(messages.WARNING, words, row)


CANCEL = Action("cancel", "Cancel this run", "cancel_jobrun", cancel_run)


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
        """Those that have ended are only counted: a whole history may be selected."""
        ended = queryset.finished().count()
        active = list(queryset.active().order_by("id").values_list("pk", flat=True))
        self.act(request, CANCEL, map(str, active))
        if ended:
            runs = "1 run" if ended == 1 else f"{ended} runs"
            self.message_user(request, f"Ended already: {runs}.", messages.WARNING)
