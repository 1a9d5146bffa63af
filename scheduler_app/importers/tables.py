"""Rows of other schedulers' tables, which need not be installed any more. They are only read."""

from datetime import UTC, datetime
from typing import Any

from django.db import connection

from scheduler_app.exceptions import SchedulerError


class SourceError(SchedulerError):
    """What is to be imported is not there, or cannot be read."""


def rows(table: str) -> list[dict[str, Any]]:
    """Return all rows of a table of the project's default database, in the order of their keys.
    Raises SourceError."""
    if table not in connection.introspection.table_names():
        raise SourceError(f"There is no table {table} in the default database.")
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)} ORDER BY 1")  # noqa: S608
        columns = [
            column.name if hasattr(column, "name") else column[0] for column in cursor.description
        ]
        return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


def moment_of(value: datetime | str) -> datetime:
    """Return what such a row has for a moment, which SQLite keeps as text, in UTC and whole
    seconds."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).replace(microsecond=0)
