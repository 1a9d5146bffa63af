"""A database that goes away at a commit."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from unittest import mock

from django.db import OperationalError, transaction

from scheduler_app.models import database


def failing_commit(number: int) -> AbstractContextManager[object]:
    """Within it, the engine's commit of this number (1 is the first) fails, and holds nothing."""
    commits = iter(range(1, 1_000_000))

    @contextmanager
    def atomic() -> Iterator[None]:
        with transaction.atomic(using=database.alias()):
            yield
            if next(commits) == number:
                raise OperationalError("the connection was lost")

    return mock.patch.object(database, "atomic", atomic)
