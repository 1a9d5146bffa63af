"""The one place from which every surface reads how things are now."""

from scheduler_app.status.current import (
    InterruptedRun,
    JobState,
    JobStatus,
    RunSummary,
    SchedulerStatus,
    interrupted_runs,
    job_status,
    job_statuses,
    living_nodes,
    overdue_before,
    run_summary,
    scheduler_running,
    scheduler_status,
    summary,
)
from scheduler_app.status.health import (
    NodeHealth,
    SchedulerHealth,
    SchedulerState,
    node_health,
    scheduler_health,
)
from scheduler_app.status.progress import LiveRun, live_run, said

__all__ = [
    "InterruptedRun",
    "JobState",
    "JobStatus",
    "LiveRun",
    "NodeHealth",
    "RunSummary",
    "SchedulerHealth",
    "SchedulerState",
    "SchedulerStatus",
    "interrupted_runs",
    "job_status",
    "job_statuses",
    "live_run",
    "living_nodes",
    "node_health",
    "overdue_before",
    "run_summary",
    "said",
    "scheduler_health",
    "scheduler_running",
    "scheduler_status",
    "summary",
]
