"""Many rows with one statement: what the ORM does, without its work for each value.

For the ledger's hot path alone. `benchmarks/README.md` tells what it gains."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper


def insert(rows: Sequence[models.Model], connection: BaseDatabaseWrapper) -> None:
    """Insert these rows of one table and give them their ids. Call it in a transaction."""
    table, fields = rows[0]._meta.db_table, rows[0]._meta.concrete_fields
    columns = ", ".join(str(field.column) for field in fields)
    with connection.cursor() as cursor:
        for row, pk in zip(rows, _reserve(table, len(rows), cursor), strict=True):
            row.pk = pk
        if connection.vendor == "postgresql":
            source = f"SELECT * FROM {_unnest(fields, connection)}"  # noqa: S608
            statement = f"INSERT INTO {table} ({columns}) {source}"
            cursor.execute(statement, _columns(rows, fields, connection))
        else:
            marks = ", ".join(["%s"] * len(fields))
            statement = f"INSERT INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608
            cursor.executemany(statement, _tuples(rows, fields, connection))
    for row in rows:
        row._state.adding, row._state.db = False, connection.alias


def update(
    rows: Sequence[models.Model], names: Iterable[str], connection: BaseDatabaseWrapper
) -> None:
    """Write these fields of these rows of one table."""
    options = rows[0]._meta
    table, wanted = options.db_table, {*names, "id"}
    fields = [field for field in options.concrete_fields if field.name in wanted]
    columns = [str(field.column) for field in fields]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            assignments = ", ".join(f"{column} = new.{column}" for column in columns)
            source = f"{_unnest(fields, connection)} AS new({', '.join(columns)})"
            statement = f"UPDATE {table} SET {assignments} FROM {source} WHERE {table}.id = new.id"  # noqa: S608
            cursor.execute(statement, _columns(rows, fields, connection))
        else:
            assignments = ", ".join(f"{column} = %s" for column in columns)
            statement = f"UPDATE {table} SET {assignments} WHERE id = %s"  # noqa: S608
            cursor.executemany(statement, _tuples(rows, [*fields, options.pk], connection))


def numbers(values: Iterable[int]) -> str:
    """These whole numbers, for use in a statement."""
    return ", ".join(f"{value:d}" for value in values)


def _reserve(table: str, count: int, cursor: Any) -> Iterable[int]:
    """Ids for new rows. On SQLite the transaction has the write lock, so nobody else takes them."""
    if cursor.db.vendor == "sqlite":
        cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
        last = cursor.fetchone()
        first: int = last[0] + 1 if last else 1
        return range(first, first + count)
    cursor.execute(
        "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
        [table, count],
    )
    return [pk for (pk,) in cursor.fetchall()]


def _unnest(fields: Sequence[Any], connection: BaseDatabaseWrapper) -> str:
    """PostgreSQL's table out of an array for each column: one statement to parse, plan and send."""
    arrays = ", ".join(f"%s::{_type(field, connection)}[]" for field in fields)
    return f"unnest({arrays})"


def _tuples(
    rows: Sequence[models.Model], fields: Sequence[Any], connection: BaseDatabaseWrapper
) -> list[tuple[Any, ...]]:
    return list(zip(*_columns(rows, fields, connection), strict=True))


def _columns(
    rows: Sequence[models.Model], fields: Sequence[Any], connection: BaseDatabaseWrapper
) -> list[list[Any]]:
    """The values as the database takes them: a list for each field."""
    return [_column(rows, field, connection) for field in fields]


def _column(
    rows: Sequence[models.Model], field: "models.Field[Any, Any]", connection: BaseDatabaseWrapper
) -> list[Any]:
    values = [getattr(row, field.attname) for row in rows]
    if isinstance(field, models.DateTimeField):
        return _adapted(values, connection.ops.adapt_datetimefield_value)
    if isinstance(field, models.JSONField):
        return [field.get_db_prep_save(value, connection) for value in values]
    return values


def _adapted(values: Iterable[Any], adapt: Callable[[Any], Any]) -> list[Any]:
    """Rows that are written together share many a moment."""
    known: dict[Any, Any] = {}
    return [
        known[value] if value in known else known.setdefault(value, adapt(value))
        for value in values
    ]


def _type(field: Any, connection: BaseDatabaseWrapper) -> str:
    """The column's type without its length: what is too long is refused, not cut."""
    kind: str = field.rel_db_type(connection)
    return kind.partition("(")[0]
