"""What the calls answer, as the fields of memory.proto's messages."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from scheduler_app.explain.preview import PreviewedFire
from scheduler_app.metadata import read_progress
from scheduler_app.models import AuditEntry, JobRun, RunState
from scheduler_app.rpc.wire import RESULT, RUN_STATE, Values
from scheduler_app.status import (
    JobStatus,
    NodeHealth,
    SchedulerHealth,
    SchedulerStatus,
    said,
)
from scheduler_app.status.lists import ListedNode
from scheduler_app.text import Clock

LONGEST = 2**63 - 1
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

RESULTS = {
    RunState.SUCCESS: f"{RESULT}SUCCESS",
    RunState.FAILED: f"{RESULT}FAILED",
    RunState.LOST: f"{RESULT}FAILED",
    RunState.CANCELLED: f"{RESULT}FAILED",
    RunState.SKIPPED: f"{RESULT}SKIPPED",
    RunState.MISSED: f"{RESULT}SKIPPED",
}


def status_values(status: SchedulerStatus) -> Values:
    """The fields of a GetSchedulerStatusResponse."""
    return header_values(status.health) | {"jobs": [job_values(job) for job in status.jobs]}


def header_values(health: SchedulerHealth) -> Values:
    """The fields of a GetSchedulerStatusResponse, without its jobs."""
    return {
        "scheduler_running": health.is_running,
        "state": health.state,
        "since_ms": _epoch_ms(health.since),
        "problem": health.problem or None,
        "nodes": [node_health_values(node) for node in health.nodes],
    }


def node_health_values(node: NodeHealth) -> Values:
    """The fields of a NodeProto."""
    return {"name": node.name, "well": node.is_well, "problem": node.problem or None}


def job_values(job: JobStatus) -> Values:
    """The fields of a JobStatusProto."""
    run, policies = job.last_run, job.policies
    return {
        "job_name": job.name,
        "cron_expr": job.cron,
        "last_run_ms": _epoch_ms(run.started_at if run else None),
        "last_duration_ms": _ms(run.duration if run else None),
        "last_result": _result(job),
        "last_error": job.last_error,
        "next_run_ms": _epoch_ms(job.next_run),
        "run_count": job.run_count,
        "error_count": job.error_count,
        "is_running": job.is_running,
        "is_paused": job.is_paused,
        "last_run_metadata": _metadata(run.metadata if run else {}),
        "timezone": job.timezone,
        "description": job.description,
        "skip_count": job.skip_count,
        "schedule": job.schedule,
        "miss_count": job.miss_count,
        "is_orphaned": job.is_orphaned,
        "last_lateness_ms": _ms(run.lateness if run else None),
        "overlap": policies.overlap,
        "catch_up": policies.catch_up,
        "catch_up_limit": policies.catch_up_limit,
        "retries": policies.retries,
        "retry_delay_ms": _whole_ms(policies.retry_delay),
        "retry_max_delay_ms": _whole_ms(policies.retry_max_delay),
        "timeout_ms": _whole_ms(policies.timeout or 0),
        "isolated": policies.isolated,
        "pause_on_failure": policies.pause_on_failure,
        "jitter_ms": _whole_ms(job.jitter),
        "running_run_ids": job.running_run_ids,
        "interrupted_runs": [
            {"run_id": run.id, "node": run.node, "last_heartbeat_ms": _epoch_ms(run.heartbeat_at)}
            for run in job.interrupted_runs
        ],
        "problem": job.problem or None,
        "last_outcome": job.last_outcome.state if job.last_outcome else "",
        "state": job.state,
        "paused_since_ms": _epoch_ms(job.paused_at),
        "paused_until_ms": _epoch_ms(job.paused_until),
        "paused_by": job.paused_by,
        "pause_reason": job.pause_reason,
        "etag": job.etag,
        "overrides": _metadata(job.overrides),
        "declared": _metadata(job.declared),
        "app": job.app,
        "is_added": job.is_added,
    }


def run_values(run: JobRun) -> Values:
    """The fields of a Run; those that only GetRun answers are empty."""
    told = said(run)
    progress = read_progress(told.progress)
    return {
        "run_id": run.pk,
        "job_name": run.job_name,
        "state": f"{RUN_STATE}{RunState(run.state).name}",
        "schedule_time": run.scheduled_for,
        "due_time": run.due_at,
        "create_time": run.created_at,
        "start_time": run.started_at,
        "end_time": run.finished_at,
        "lateness": run.lateness,
        "duration": run.duration,
        "trigger": run.trigger,
        "requested_by": run.requested_by,
        "attempt": run.attempt,
        "first_attempt_run_id": run.first_attempt_id or 0,
        "rerun_of_run_id": run.rerun_of_id or 0,
        "arguments": run.arguments,
        "node": run.node.name if run.node else "",
        "message": run.message,
        "metadata": _metadata(told.metadata),
        "occurrences": run.occurrences,
        "first_schedule_time": run.first_scheduled_for,
        "cancel_request_time": run.cancel_requested_at,
        "cancel_reason": run.cancel_reason,
        "traceback": "",
        "log": "",
        "attempts": [],
        "progress_done": progress.done,
        "progress_total": progress.total,
        "progress_text": progress.text,
    }


def fire_values(previewed: PreviewedFire, timezone: str) -> Values:
    """The fields of a Fire."""
    fire = previewed.fire
    return {
        "schedule_time": fire.scheduled_for,
        "due_time": fire.due_at,
        "local_time": Clock(ZoneInfo(timezone)).full(fire.scheduled_for),
        "note": previewed.note,
    }


def node_values(node: ListedNode) -> Values:
    """The fields of a Node."""
    return {
        "name": node.name,
        "state": node.state,
        "problem": node.health.problem if node.health else "",
        "start_time": node.started_at,
        "heartbeat_time": node.heartbeat_at,
        "stop_time": node.stopped_at,
        "run_ids": node.run_ids,
        "declared_jobs": node.declares,
    }


def audit_values(entry: AuditEntry) -> Values:
    """The fields of an AuditEvent."""
    return {
        "time": entry.at,
        "actor": entry.actor,
        "surface": entry.surface,
        "action": entry.action,
        "job_name": entry.job_name,
        "reason": entry.reason,
        "changed": entry.changed,
    }


def _result(job: JobStatus) -> str:
    if job.last_outcome is None:
        return f"{RESULT}UNSPECIFIED"
    return RESULTS[job.last_outcome.state]


def _metadata(values: dict[str, Any]) -> dict[str, str]:
    return {
        key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()
    }


def _epoch_ms(moment: datetime | None) -> int:
    return _ms(moment - EPOCH) if moment else 0


def _ms(span: timedelta | None) -> int:
    return span // timedelta(milliseconds=1) if span else 0


def _whole_ms(seconds: float) -> int:
    """Return whole milliseconds: at least one unless there is nothing, as 0 may mean none; at most
    what the field holds, so that one bad row does not take the others' status away."""
    return int(min(max(1, round(seconds * 1000)), LONGEST)) if seconds else 0
