"""What the scheduler keeps in the database."""

from scheduler_app.models.audit import AuditEntry, Surface
from scheduler_app.models.heartbeat import Heartbeat, Report
from scheduler_app.models.installation import Installation
from scheduler_app.models.job import Job
from scheduler_app.models.node import LivenessSnapshot, Node
from scheduler_app.models.period import SchedulePeriod
from scheduler_app.models.primary import timetable_rows
from scheduler_app.models.release import Release, ZoneRules
from scheduler_app.models.run import JobRun, JobRunQuerySet, RunState, Trigger

__all__ = [
    "AuditEntry",
    "Heartbeat",
    "Installation",
    "Job",
    "JobRun",
    "JobRunQuerySet",
    "LivenessSnapshot",
    "Node",
    "Release",
    "Report",
    "RunState",
    "SchedulePeriod",
    "Surface",
    "Trigger",
    "ZoneRules",
    "timetable_rows",
]
