"""The one door through which every surface reads: what is now, what was, and whether it adds up.

`audit` holds the ledger against the schedules, `explain` tells about one moment of one job."""

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
