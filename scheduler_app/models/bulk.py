"""Many rows with one statement: what the ORM does, without its work for each value.

For the ledger's hot path only; `benchmarks/README.md` says what it gains. On SQLite the values are
passed as JSON, so that one step handles all rows: at every step Python gives other threads a turn,
and a busy one returns it only after milliseconds."""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from hashlib import blake2b
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar

from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.base import ModelState

Row = TypeVar("Row", bound=models.Model)


def like(template: Row, **values: Any) -> Row:
    """Return an unsaved copy of this row with these values in its columns."""
    row = template.__class__.__new__(template.__class__)
    columns = template.__dict__.copy()
    columns.update(values)
    columns["_state"] = ModelState()
    row.__dict__ = columns
    return row


class AnyOf(models.Func):
    """Whether a column has one of these values: `__in`, with all the values as one parameter."""

    output_field = models.BooleanField()

    def __init__(self, column: str, values: Iterable[Any]) -> None:
        super().__init__(models.F(column))
        self.values = list(values)

    def as_sql(self, compiler: Any, connection: BaseDatabaseWrapper, **_: Any) -> Any:  # type: ignore[override]
        column, parameters = compiler.compile(self.source_expressions[0])
        condition, values = any_of(column, self.values, connection)
        return condition, [*parameters, values]


def any_of(column: str, values: Sequence[Any], connection: BaseDatabaseWrapper) -> tuple[str, Any]:
    """Return the condition that the column has one of these values, and its one parameter."""
    if connection.vendor == "sqlite":
        return f"{column} IN (SELECT value FROM json_each(%s))", _json(values)  # noqa: S608
    return f"{column} = ANY(%s)", _array(values)


class Compiled(NamedTuple):
    """A values_list() as SQL, to be executed again and again: Django takes longer to make a
    statement than any database takes to answer a short one. Its parameters stay as they were."""

    alias: str
    statement: str
    parameters: tuple[Any, ...]
    moments: tuple[int, ...]
    """Which of its columns are moments."""
    width: int


def compiled(query: "models.QuerySet[Any, tuple[Any, ...]]") -> Compiled:
    """Return the SQL of this values_list(), whose annotations come last."""
    compiler = query.query.get_compiler(query.db)
    statement, parameters = compiler.as_sql()
    fields = [expression.output_field for expression, *_ in compiler.select]
    moments = tuple(i for i, field in enumerate(fields) if isinstance(field, models.DateTimeField))
    return Compiled(query.db, statement, tuple(parameters), moments, len(fields))


def fetch(query: "models.QuerySet[Any, tuple[Any, ...]] | Compiled") -> list[Any]:
    """Return the rows of this values_list(), whose annotations come last."""
    known = query if isinstance(query, Compiled) else compiled(query)
    return read(
        known.statement,
        known.parameters,
        connections[known.alias],
        width=known.width,
        moments=known.moments,
    )


def read(
    query: str,
    parameters: Sequence[Any],
    connection: BaseDatabaseWrapper,
    *,
    width: int,
    moments: Sequence[int] = (),
) -> list[Any]:
    """Return the rows of this query, each of `width` columns. SQLite's moments come as they are
    stored, except in the columns `moments`."""
    with connection.cursor() as cursor:
        if connection.vendor != "sqlite":
            cursor.execute(query, parameters)
            return list(cursor.fetchall())
        columns = ", ".join(f"c{number}" for number in range(width))
        rows_as_json = f"SELECT json_group_array(json_array({columns})) FROM found"  # noqa: S608
        cursor.execute(f"WITH found ({columns}) AS ({query}) {rows_as_json}", parameters)
        rows: list[Any] = json.loads(cursor.fetchone()[0])
    for position in moments:
        known = {text: _moment(text) for text in {row[position] for row in rows}}
        for row in rows:
            row[position] = known[row[position]]
    return rows


def signature(known: Compiled) -> str:
    """Return what tells whether this values_list() gives the same rows as before, in any order:
    the database makes it, so it costs this process nothing."""
    connection = connections[known.alias]
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            columns = ", ".join(f"c{number}" for number in range(known.width))
            cursor.execute(
                f"WITH found ({columns}) AS ({known.statement}) "  # noqa: S608
                f"SELECT json_group_array(json_array({columns})) FROM found",
                known.parameters,
            )
            return blake2b(cursor.fetchone()[0].encode(), digest_size=16).hexdigest()
        cursor.execute(
            "SELECT count(*), sum(hashtextextended(found::text, 0)::numeric) "  # noqa: S608
            f"FROM ({known.statement}) AS found",
            known.parameters,
        )
        return str(cursor.fetchone())


def insert(rows: Sequence[models.Model], connection: BaseDatabaseWrapper) -> None:
    """Insert these rows of one table and give them their ids. Call it in a transaction."""
    table, fields = rows[0]._meta.db_table, rows[0]._meta.concrete_fields
    columns = ", ".join(str(field.column) for field in fields)
    with connection.cursor() as cursor:
        for row, pk in zip(rows, _reserve(table, len(rows), cursor), strict=True):
            row.pk = pk
        values, parameters = rows_as_table(rows, fields, connection)
        cursor.execute(f"INSERT INTO {table} ({columns}) {values}", parameters)
    for row in rows:
        row._state.adding, row._state.db = False, connection.alias


def append(rows: Sequence[models.Model], connection: BaseDatabaseWrapper) -> None:
    """Insert these rows of one table without learning their ids."""
    options = rows[0]._meta
    fields = [field for field in options.concrete_fields if not field.primary_key]
    columns = ", ".join(str(field.column) for field in fields)
    values, parameters = rows_as_table(rows, fields, connection)
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {options.db_table} ({columns}) {values}", parameters)


def update(
    rows: Sequence[models.Model], names: Iterable[str], connection: BaseDatabaseWrapper
) -> None:
    """Write these fields of these rows of one table."""
    if not rows:
        return
    options = rows[0]._meta
    table, key = options.db_table, options.pk.column
    fields: list[Any] = [options.get_field(name) for name in names]
    assignments = ", ".join(f"{field.column} = new.{field.column}" for field in fields)
    values, parameters = rows_as_table(rows, [options.pk, *fields], connection)
    statement = (
        f"UPDATE {table} SET {assignments} FROM ({values}) AS new WHERE {table}.{key} = new.{key}"  # noqa: S608
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)


def _reserve(table: str, count: int, cursor: Any) -> Iterable[int]:
    """Return ids for new rows. On SQLite this transaction has the write lock, so no other takes
    them."""
    if cursor.db.vendor == "sqlite":
        cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
        last = cursor.fetchone()
        first: int = last[0] + 1 if last else 1
        return range(first, first + count)
    cursor.execute(
        # The name of the sequence is looked up once, not for each row.
        "SELECT nextval(name) FROM (SELECT pg_get_serial_sequence(%s, 'id')::regclass AS name "
        "OFFSET 0) AS sequence, generate_series(1, %s)",
        [table, count],
    )
    return [pk for (pk,) in cursor.fetchall()]


def rows_as_table(
    rows: Sequence[models.Model], fields: Sequence[Any], connection: BaseDatabaseWrapper
) -> tuple[str, list[Any]]:
    """Return a query for these values, and its parameters. A value that all rows share is sent
    once."""
    is_sqlite = connection.vendor == "sqlite"
    columns, shared, varying, types = [], list[Any](), list[list[Any]](), list[str]()
    for field in fields:
        values = list(map(attrgetter(field.attname), rows))
        convert = _converter(field, connection)
        kind = "" if is_sqlite else _type(field, connection)
        if _is_one(values):
            shared += convert(values[:1])
            value = "%s" if is_sqlite else f"%s::{kind}"
        else:
            value = f"json_extract(value, '$[{len(varying)}]')" if is_sqlite else f"v{len(varying)}"
            varying.append(convert(values))
            types.append(kind)
        columns.append(f"{value} AS {field.column}")
    query = f"SELECT {', '.join(columns)}"
    if not varying:
        return query, shared
    if is_sqlite:
        return f"{query} FROM json_each(%s)", [*shared, _json(list(zip(*varying, strict=True)))]
    arrays = ", ".join(f"%s::{kind}[]" for kind in types)
    names = ", ".join(f"v{number}" for number in range(len(varying)))
    return f"{query} FROM unnest({arrays}) AS varying({names})", [*shared, *map(_array, varying)]


def _is_one(values: list[Any]) -> bool:
    """Return whether these are all the same, not only equal as True, 1 and 1.0 are."""
    first = values[0]
    if values.count(first) < len(values):
        return False
    if first is None or first == {} or isinstance(first, str | datetime):
        return True
    return len(set(map(repr, values))) == 1


def _converter(
    field: "models.Field[Any, Any]", connection: BaseDatabaseWrapper
) -> Callable[[list[Any]], list[Any]]:
    """Return a function that converts a column's values for the database."""
    if isinstance(field, models.DateTimeField) and connection.vendor == "sqlite":
        return _texts
    if isinstance(field, models.JSONField):
        encode = partial(json.dumps, cls=field.encoder)
        return lambda values: list(map(encode, values))
    return list


def _texts(moments: Iterable[datetime | None]) -> list[str | None]:
    """Return the moments as Django stores them in SQLite. Many rows share a moment."""
    texts = {moment: _text(moment) for moment in set(moments)}
    return [texts[moment] for moment in moments]


def _text(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat(" ").removesuffix("+00:00") if moment else None


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None


def _type(field: Any, connection: BaseDatabaseWrapper) -> str:
    """Return the column's type without its length: a value that is too long is refused, not cut."""
    kind: str = field.rel_db_type(connection)
    return kind.partition("(")[0]


def _array(values: Iterable[Any]) -> str:
    """Return the values as PostgreSQL's text of an array."""
    return f"{{{','.join(map(_element, values))}}}"


def _element(value: Any) -> str:
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    if isinstance(value, datetime):
        return f'"{value.isoformat()}"'
    return "NULL" if value is None else str(value)


_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode
