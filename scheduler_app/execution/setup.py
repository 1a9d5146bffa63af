"""What a process that carries runs out does before the first."""

from contextlib import suppress

import django
from django.db import connections


def load() -> None:
    """Import Django and the jobs, and leave no database connection open."""
    django.setup()
    for connection in connections.all(initialized_only=True):
        connection.close()
        with suppress(AttributeError):  # a backend without pools
            connection.close_pool()  # type: ignore[attr-defined]
