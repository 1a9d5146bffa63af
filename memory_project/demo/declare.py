"""Declares the shop's jobs."""

from collections.abc import Callable, Iterable
from typing import Any

from memory_project.demo import work
from memory_project.demo.tasks import TASKS
from scheduler_app import job
from scheduler_app.registry import Registry

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "send-newsletter": work.send_newsletter,
    "sync-marketplace-prices": work.sync_marketplace_prices,
    "export-accounting": work.export_accounting,
}
"""Those of the jobs that are more than their task."""


def declare(registry: Registry, names: Iterable[str] = TASKS) -> None:
    """Declare those of these names in this registry."""
    for task in map(TASKS.__getitem__, names):
        job(
            name=task.name, cron=task.cron, timezone=task.timezone, jitter=task.jitter,
            description=task.description, registry=registry, **task.policies,
        )(FUNCTIONS.get(task.name, work.carry_out))  # fmt: skip
