"""What carries runs out."""

from scheduler_app.executors.base import Executor
from scheduler_app.executors.threads import ThreadExecutor

__all__ = ["Executor", "ThreadExecutor"]
