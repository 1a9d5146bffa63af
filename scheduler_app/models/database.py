"""The database that holds the scheduler's tables."""

from django.db import connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from scheduler_app.models.run import JobRun


def alias() -> str:
    """Its alias in settings.DATABASES; a router may have moved it from "default"."""
    return router.db_for_write(JobRun)


def atomic() -> transaction.Atomic:
    """A transaction on it; on SQLite, one that has the write lock from its start."""
    return transaction.atomic(using=alias())


def connection() -> BaseDatabaseWrapper:
    """This thread's connection to it."""
    return connections[alias()]
