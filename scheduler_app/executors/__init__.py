"""What carries runs out."""

from scheduler_app.executors.base import Executor
from scheduler_app.executors.processes import Processes
from scheduler_app.executors.threads import ThreadExecutor
from scheduler_app.executors.worker import Worker

__all__ = ["Executor", "Processes", "ThreadExecutor", "Worker"]
