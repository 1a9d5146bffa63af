"""What the scheduler keeps in the database."""

from scheduler_app.models.added import AddedJob
from scheduler_app.models.audit import AuditEntry, Surface
from scheduler_app.models.change import Change
from scheduler_app.models.count import COUNTERS, JobCount
from scheduler_app.models.heartbeat import Heartbeat, Report
from scheduler_app.models.installation import Installation
from scheduler_app.models.job import Job, JobQuerySet
from scheduler_app.models.node import LivenessSnapshot, Node
from scheduler_app.models.overview import Overview
from scheduler_app.models.period import SchedulePeriod
from scheduler_app.models.progress import RunProgress
from scheduler_app.models.release import Release, ZoneRules
from scheduler_app.models.request import Request
from scheduler_app.models.rollup import Rollup, RollupState
from scheduler_app.models.run import Held, JobRun, JobRunQuerySet, RunState, Trigger
from scheduler_app.models.timetable import name_of, row_id, row_ids, timetable_rows
from scheduler_app.models.token import Scope, Token

__all__ = [
    "COUNTERS",
    "AddedJob",
    "AuditEntry",
    "Change",
    "Heartbeat",
    "Held",
    "Installation",
    "Job",
    "JobCount",
    "JobQuerySet",
    "JobRun",
    "JobRunQuerySet",
    "LivenessSnapshot",
    "Node",
    "Overview",
    "Release",
    "Report",
    "Request",
    "Rollup",
    "RollupState",
    "RunProgress",
    "RunState",
    "SchedulePeriod",
    "Scope",
    "Surface",
    "Token",
    "Trigger",
    "ZoneRules",
    "name_of",
    "row_id",
    "row_ids",
    "timetable_rows",
]
