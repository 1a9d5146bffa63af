"""Scheduled jobs for Django that cannot be lost, doubled or hidden."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scheduler_app.registry import JobContext, command_job, job

__all__ = ["JobContext", "command_job", "job"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import what is for jobs.py when it is asked for: the client of the command line needs none of
    it, nor Django."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from scheduler_app import registry

    return getattr(registry, name)
