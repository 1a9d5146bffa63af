"""The one way in which people change anything.

Each call is one transaction, leaves one audit row for each job or run and works from any process: a
scheduler notices within a second, the one in this process at once. No call waits long for locks,
and conflicts with other transactions are tried again; if that does not help, the call raises Busy
and has changed nothing."""

from scheduler_app.control.actor import REASON_LIMIT, Actor
from scheduler_app.control.added import add, delete, plan_add
from scheduler_app.control.jobs import trigger, trigger_many
from scheduler_app.control.overrides import override, revert
from scheduler_app.control.pauses import (
    Resumption,
    pause,
    pause_many,
    plan_resume,
    plan_resumes,
    resume,
    resume_many,
)
from scheduler_app.control.periods import backfill, plan_backfill
from scheduler_app.control.plans import Setting, plan_override
from scheduler_app.control.runs import cancel, cancel_many, retry, retry_many
from scheduler_app.control.selection import in_batches
from scheduler_app.control.transaction import BATCH, Changes

__all__ = [
    "BATCH",
    "REASON_LIMIT",
    "Actor",
    "Changes",
    "Resumption",
    "Setting",
    "add",
    "backfill",
    "cancel",
    "cancel_many",
    "delete",
    "in_batches",
    "override",
    "pause",
    "pause_many",
    "plan_add",
    "plan_backfill",
    "plan_override",
    "plan_resume",
    "plan_resumes",
    "resume",
    "resume_many",
    "retry",
    "retry_many",
    "revert",
    "trigger",
    "trigger_many",
]
