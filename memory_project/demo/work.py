"""Carries a job of the shop out: it waits, logs and reports as one that works would."""

import logging
import random

from memory_project.demo.tasks import TASKS, Task
from scheduler_app import JobContext

logger = logging.getLogger("shop")
STEPS = 40
MARKETPLACE_THAT_HANGS = "otto"


class WarehouseUnavailable(Exception):
    """The warehouse's interface cannot be used."""


class ExportRefused(Exception):
    """The accountants' server did not take the file."""


class CarrierTimeout(TimeoutError):
    """Another service did not answer in time."""


def carry_out(context: JobContext) -> dict[str, int] | None:
    """Do what the task of this name says. Raise now and then, as it says."""
    return _work(context, TASKS[context.job_name])


def send_newsletter(
    context: JobContext, segment: str = "all", limit: int = 20_000
) -> dict[str, int] | None:
    """Send the newsletter to the customers of a segment, at most to so many."""
    logger.info("segment %s, at most %d mails", segment, limit)
    return _work(context, TASKS[context.job_name])


def sync_marketplace_prices(context: JobContext, marketplace: str = "all") -> dict[str, int] | None:
    """Set the prices at the marketplaces, or at one of them."""
    if marketplace == MARKETPLACE_THAT_HANGS:
        logger.info("connecting to %s", marketplace)
        context.report(prices=0)
        while not context.cancelled:  # as a client without a timeout would
            context.cancel_event.wait(1)
        return None
    return _work(context, TASKS[context.job_name])


def export_accounting(context: JobContext) -> None:
    """Send yesterday's bookings to the accountants. They refuse it these days."""
    _work(context, TASKS[context.job_name])
    upload("bookings.csv")


def _work(context: JobContext, task: Task) -> dict[str, int] | None:
    chance = random.Random(f"{context.run_id} {context.attempt}")
    total, seconds = task.draw_amount(chance), task.draw_seconds(chance)
    logger.info("%d %s to handle", total, task.noun)
    for step in range(1, STEPS + 1):
        if context.cancel_event.wait(seconds / STEPS) and context.cancelled:
            logger.warning("cancelled at %d of %d %s", total * step // STEPS, total, task.noun)
            return None
        context.report(**{task.noun: total * step // STEPS})
        if step % (STEPS // 4) == 0:
            logger.info("%d of %d %s done", total * step // STEPS, total, task.noun)
        if step == STEPS // 2 and chance.random() < task.flaky:
            ask(task.name)
    return {task.noun: total}


def fetch_stock() -> None:
    """Raise what the warehouse's interface raised when it was down."""
    request("https://wms.example.com/v2/stock", 503)


def request(url: str, status: int) -> None:
    raise WarehouseUnavailable(f"GET {url} answered {status} Service Unavailable")


def upload(name: str) -> None:
    """Raise what the accountants' server answers since they have another directory."""
    raise ExportRefused(f"SFTP put /in/{name} refused: 550 No such directory")


def ask(name: str) -> None:
    """Raise what happens to anybody now and then."""
    raise CarrierTimeout(f"no answer to {name} within 30 s")
