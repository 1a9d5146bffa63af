"""The moment at which the history is, as it is written."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from scheduler_app.models import database


@contextmanager
def at(moment: datetime) -> Iterator[None]:
    """Have what control and ledger do in the block happen at this moment."""
    before, database.now = database.now, lambda: moment
    try:
        yield
    finally:
        database.now = before
