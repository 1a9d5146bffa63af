"""The admin's pages. They read through status, act through control, and run nothing."""

from scheduler_app.admin import apscheduler, audit, job, node, period, run

__all__ = ["apscheduler", "audit", "job", "node", "period", "run"]
