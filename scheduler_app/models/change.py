"""The change feed: what each commit changes of what people see, in the order of the commits.

A transaction of ours leaves one row with all its changes. A reader reads the rows after a position,
without losing one or seeing one twice. On SQLite transactions that write come one after the other,
so a position is an id. On PostgreSQL a transaction with a smaller id may be committed later; there
a position is a snapshot (pg_current_snapshot), and what follows is what that snapshot did not see.
Ids would lose late commits, and the oldest transaction's (xmin) would not advance while one is
open."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import connections, models, router
from django.db.backends.base.base import BaseDatabaseWrapper

from scheduler_app.models.primary import PrimaryQuerySet

_SNAPSHOT = re.compile(r"\d{1,19}:\d{1,19}:(\d{1,19}(,\d{1,19})*)?", re.ASCII)
KEPT_ROWS, KEPT_FOR = 20_000, timedelta(hours=6)
"""How much of the feed is kept: as many rows, and no older ones."""
PRUNED_AT_ONCE = 5_000


class Kind:
    """What changes, as the feed names it."""

    RUN, JOB, NODE = "runs", "jobs", "nodes"


class Changes(NamedTuple):
    """The changes of one commit."""

    id: int
    at: datetime
    runs: list[tuple[int, str, str]]
    """Each with its id, its job and its state."""
    jobs: list[str]
    """The jobs whose rows were added, declared anew, paused, resumed or orphaned."""
    nodes: list[str]
    """The names of scheduler processes that came, went, or became well or sick."""


class Feed(NamedTuple):
    """What follows a position."""

    changes: list[Changes]
    position: str
    """From which to continue."""


class _Gathered(threading.local):
    def __init__(self) -> None:
        self.depth = 0
        self.entries: list[tuple[str, Any]] = []


_gathered = _Gathered()


@contextmanager
def gathering() -> Iterator[None]:
    """Have what the block notes be one row, written at its end, in its transaction. Blocks may be
    nested: the outermost writes. What a block notes that raises is forgotten."""
    begin = len(_gathered.entries)
    _gathered.depth += 1
    try:
        yield
        if _gathered.depth == 1:
            _write()
    except BaseException:
        del _gathered.entries[begin:]
        raise
    finally:
        _gathered.depth -= 1


def write_now() -> None:
    """Write what has been noted in this transaction, instead of at its end: what comes after the
    last look at others must be the commit alone."""
    if _gathered.depth:
        _write()


def note_runs(runs: Iterable[Any]) -> None:
    """Note that these runs were inserted, or have their present state now."""
    _note(Kind.RUN, [(run.pk, run.job_name, str(run.state)) for run in runs])


def note_jobs(names: Iterable[str]) -> None:
    _note(Kind.JOB, list(names))


def note_node(name: str) -> None:
    _note(Kind.NODE, [name])


def _note(kind: str, what: list[Any]) -> None:
    if not what:
        return
    _gathered.entries.append((kind, what))
    if _gathered.depth == 0:
        _write()


def _write() -> None:
    entries, _gathered.entries = _gathered.entries, []
    if not entries:
        return
    found: dict[str, list[Any]] = {}
    for kind, what in entries:
        found.setdefault(kind, []).extend(what)
    connection = connections[router.db_for_write(Change)]
    with connection.cursor() as cursor:
        cursor.execute(_INSERT[connection.vendor], [json.dumps(found, separators=(",", ":"))])


_TABLE = "scheduler_app_change"
_INSERT = {
    "postgresql": f"INSERT INTO {_TABLE} (xid, at, data) "  # noqa: S608
    "VALUES (pg_current_xact_id(), clock_timestamp(), %s)",
    "sqlite": f"INSERT INTO {_TABLE} (xid, at, data) "  # noqa: S608
    "VALUES (0, STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'NOW'), %s)",
}


if TYPE_CHECKING:
    _BigInteger = models.BigIntegerField[int, int]
else:
    _BigInteger = models.BigIntegerField


class TransactionField(_BigInteger):
    """PostgreSQL's 64-bit id of a transaction; elsewhere 0."""

    def db_type(self, connection: BaseDatabaseWrapper) -> str | None:
        return "xid8" if connection.vendor == "postgresql" else super().db_type(connection)

    def get_placeholder(self, value: Any, compiler: Any, connection: BaseDatabaseWrapper) -> str:
        """Return the placeholder of a value in a statement: a number does not become such an id."""
        return "%s::text::xid8" if connection.vendor == "postgresql" else "%s"


class ChangeQuerySet(PrimaryQuerySet["Change"]):
    def position(self) -> str:
        """Return the position of now: what is committed from now on follows it."""
        connection = connections[self.db]
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute("SELECT pg_current_snapshot()::text")
            else:
                cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [_TABLE])
            row = cursor.fetchone()
        return str(row[0]) if row else "0"

    def is_position(self, text: str) -> bool:
        """Return whether the database takes this as a position."""
        if connections[self.db].vendor == "postgresql":
            return bool(_SNAPSHOT.fullmatch(text))
        return text.isascii() and text.isdecimal() and int(text) < 2**63

    def after(self, position: str, limit: int) -> Feed | None:
        """Return what follows this position; None if it is better to begin anew: it is too much,
        a row was spoilt, the table was emptied, or the database is another one than that
        of the position, say a restored dump. The position must be one that a database gave."""
        connection = connections[self.db]
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute(_AFTER, {"position": position, "limit": limit + 1})
            else:
                cursor.execute(
                    f"SELECT id, id, 1, at, data FROM {_TABLE} "  # noqa: S608
                    "WHERE id > %s ORDER BY id LIMIT %s",
                    [int(position), limit + 1],
                )
            rows = cursor.fetchall()
        if len(rows) > limit or not self._is_of(position, rows):
            return None
        now = str(rows[-1][1]) if rows else position
        try:
            found = [_changes(pk, at, data) for pk, _, _, at, data in rows if pk is not None]
        except (ValueError, TypeError, AttributeError, RecursionError):
            return None
        return Feed(found, now)

    def _is_of(self, position: str, rows: Sequence[Any]) -> bool:
        """Return whether the position is one of this database: on PostgreSQL every row says so; on
        SQLite ids begin anew in another one, or in a table that was emptied."""
        return bool(rows[0][2]) if rows else int(position) <= int(self.position())

    def prune(self, now: datetime) -> bool:
        """Delete the oldest rows beyond what is kept, a few thousand at most. Return whether more
        are left to delete."""
        ids = self.aggregate(oldest=models.Min("pk"), newest=models.Max("pk"))
        if ids["oldest"] is None:
            return False
        self._delete_restored()
        is_old = models.Q(pk__lte=ids["newest"] - KEPT_ROWS) | models.Q(at__lt=now - KEPT_FOR)
        last = ids["oldest"] + PRUNED_AT_ONCE - 1
        deleted, _ = self.filter(is_old, pk__lte=last).delete()
        return deleted == PRUNED_AT_ONCE

    def _delete_restored(self) -> None:
        """Delete rows of a dump of another server, whose transactions are yet to come on this
        one."""
        connection = connections[self.db]
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(
                    f"DELETE FROM {_TABLE} "  # noqa: S608
                    "WHERE xid >= pg_snapshot_xmax(pg_current_snapshot())"
                )


_AFTER = f"""
    SELECT found.id, now.snapshot::text,
        pg_snapshot_xmax(%(position)s::pg_snapshot) <= pg_snapshot_xmax(now.snapshot),
        found.at, found.data
    FROM (SELECT pg_current_snapshot() AS snapshot) AS now
    LEFT JOIN (
        SELECT id, at, data FROM {_TABLE}
        WHERE xid >= pg_snapshot_xmax(%(position)s::pg_snapshot)
        AND xid < pg_snapshot_xmax(pg_current_snapshot())
        UNION ALL
        SELECT id, at, data FROM {_TABLE}
        WHERE xid = ANY (ARRAY(SELECT pg_snapshot_xip(%(position)s::pg_snapshot)))
        LIMIT %(limit)s
    ) AS found ON true
    ORDER BY found.id
"""  # noqa: S608


class Change(models.Model):
    """What one commit of ours changed."""

    xid = TransactionField()
    at = models.DateTimeField()
    data = models.TextField(help_text="The changes, as JSON.")

    objects = ChangeQuerySet.as_manager()

    class Meta:
        indexes = (
            models.Index(fields=("xid",), name="change_by_transaction"),
            models.Index(fields=("at",), name="change_by_age"),
        )

    def __str__(self) -> str:
        return f"change {self.pk}"


def _changes(pk: int, at: datetime, data: str) -> Changes:
    found = json.loads(data)
    return Changes(
        id=pk,
        at=at if at.tzinfo else at.replace(tzinfo=UTC),  # SQLite has no time zones
        runs=[
            (int(run_id), str(job), str(state)) for run_id, job, state in found.get(Kind.RUN, ())
        ],
        jobs=[str(name) for name in found.get(Kind.JOB, ())],
        nodes=[str(name) for name in found.get(Kind.NODE, ())],
    )
