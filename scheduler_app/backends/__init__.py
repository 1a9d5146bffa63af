"""Where runs are carried out."""

from scheduler_app.backends.base import Executor
from scheduler_app.backends.threads import ThreadExecutor

__all__ = ["Executor", "ThreadExecutor"]
