"""What the scheduler keeps in the database."""

from scheduler_app.models.audit import AuditEntry, Surface
from scheduler_app.models.count import COUNTERS, JobCount
from scheduler_app.models.job import Job, JobQuerySet
from scheduler_app.models.node import LivenessSnapshot, Node
from scheduler_app.models.period import SchedulePeriod
from scheduler_app.models.primary import timetable_rows
from scheduler_app.models.run import Held, JobRun, JobRunQuerySet, RunState, Trigger

__all__ = [
    "COUNTERS",
    "AuditEntry",
    "Held",
    "Job",
    "JobCount",
    "JobQuerySet",
    "JobRun",
    "JobRunQuerySet",
    "LivenessSnapshot",
    "Node",
    "RunState",
    "SchedulePeriod",
    "Surface",
    "Trigger",
    "timetable_rows",
]
