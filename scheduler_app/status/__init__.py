"""The one door through which every surface reads how things are now."""

from scheduler_app.status.current import (
    JobState,
    JobStatus,
    RunSummary,
    SchedulerStatus,
    job_status,
    job_statuses,
    living_nodes,
    run_summary,
    scheduler_running,
    scheduler_status,
    summary,
)

__all__ = [
    "JobState",
    "JobStatus",
    "RunSummary",
    "SchedulerStatus",
    "job_status",
    "job_statuses",
    "living_nodes",
    "run_summary",
    "scheduler_running",
    "scheduler_status",
    "summary",
]
