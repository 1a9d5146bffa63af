"""What the calls of the service do, in a server for its clients or in the command line for itself.

Each takes who calls and the fields of its request in memory.proto, and returns those of its
response. An error is one of exceptions.py, or the database's."""

from collections.abc import Callable
from typing import NamedTuple

from scheduler_app.models import Scope
from scheduler_app.rpc import acting, looking
from scheduler_app.rpc.wire import Values

Function = Callable[..., Values]


class Call(NamedTuple):
    """One call of the service, and who may make it."""

    function: Function
    scope: Scope
    """What a token must be for."""
    permissions: tuple[str, ...]
    """What the user must have."""


def _call(function: Function, scope: Scope, *permissions: str) -> Call:
    return Call(function, scope, tuple(f"scheduler_app.{name}" for name in permissions))


CALLS: dict[str, Call] = {
    "GetSchedulerStatus": _call(looking.get_scheduler_status, Scope.VIEW, "view_job"),
    "PauseJob": _call(acting.pause_job, Scope.CONTROL, "pause_job"),
    "ResumeJob": _call(acting.resume_job, Scope.CONTROL, "resume_job"),
    "PauseJobs": _call(acting.pause_jobs, Scope.CONTROL, "pause_job"),
    "ResumeJobs": _call(acting.resume_jobs, Scope.CONTROL, "resume_job"),
    "CancelRun": _call(acting.cancel_run, Scope.RUN, "cancel_jobrun"),
    "GetJob": _call(looking.get_job, Scope.VIEW, "view_job"),
    "ListJobs": _call(looking.list_jobs, Scope.VIEW, "view_job"),
    "UpdateJobSchedule": _call(acting.update_job_schedule, Scope.EDIT, "change_job"),
    "AddJob": _call(acting.add_job, Scope.EDIT, "add_job"),
    "DeleteJob": _call(acting.delete_job, Scope.EDIT, "delete_job"),
    "BackfillJob": _call(acting.backfill_job, Scope.RUN, "trigger_job"),
    "RunJob": _call(acting.run_job, Scope.RUN, "trigger_job"),
    "RetryRun": _call(acting.retry_run, Scope.RUN, "trigger_job"),
    "GetRun": _call(looking.get_run, Scope.VIEW, "view_jobrun"),
    "ListRuns": _call(looking.list_runs, Scope.VIEW, "view_jobrun"),
    "ExplainRun": _call(looking.explain_run, Scope.VIEW, "view_job", "view_jobrun"),
    "PreviewSchedule": _call(looking.preview_schedule, Scope.VIEW, "view_job"),
    "ListNodes": _call(looking.list_nodes, Scope.VIEW, "view_node"),
    "ListAuditEvents": _call(looking.list_audit_events, Scope.VIEW, "view_auditentry"),
}
"""By their names in memory.proto."""


WATCH = _call(looking.get_scheduler_status, Scope.VIEW, "view_job", "view_jobrun", "view_node")
"""Who may watch; watch.py says what they get."""
