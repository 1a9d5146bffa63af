"""Scheduled jobs for Django that cannot be lost, doubled or hidden."""

from scheduler_app.registry import JobContext, command_job, job

__all__ = ["JobContext", "command_job", "job"]

__version__ = "0.1.0"
