"""What the calls answer, as the fields of memory.proto: enums by name, None for what is optional
and not there. Moments are milliseconds since the epoch, 0 for none."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from scheduler_app.models import RunState
from scheduler_app.status import JobStatus, SchedulerStatus

Values = dict[str, Any]

LONGEST = 2**63 - 1
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

RESULT = "JOB_RESULT_STATUS_"
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
    health = status.health
    return {
        "scheduler_running": status.running,
        "jobs": [job_values(job) for job in status.jobs],
        "state": health.state,
        "since_ms": _epoch_ms(health.since),
        "problem": health.problem or None,
        "nodes": [
            {"name": node.name, "well": node.is_well, "problem": node.problem or None}
            for node in health.nodes
        ],
    }


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
        "jitter_ms": _whole_ms(job.jitter),
        "running_run_ids": job.running_run_ids,
        "interrupted_runs": [
            {"run_id": run.id, "node": run.node, "last_heartbeat_ms": _epoch_ms(run.heartbeat_at)}
            for run in job.interrupted_runs
        ],
        "problem": job.problem or None,
        "last_outcome": job.last_outcome.state if job.last_outcome else "",
        "state": job.state,
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
