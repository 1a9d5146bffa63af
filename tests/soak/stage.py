"""What an injection may work on: the nodes, the database, the clock of the soak."""

import random
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.harness.cluster import Cluster
from tests.soak.nodes import Node, Supervisor
from tests.soak.timeline import Timeline
from tests.soak.violations import Violations

TABLES = "scheduler_app_%"
TIMETABLE = "django_apscheduler_djangojob"
OPTIONS = "-c lock_timeout=5s -c statement_timeout=0 -c default_transaction_read_only=off"


class Store:
    """The database, as a stranger with all rights uses it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite:")
        self.path = url.removeprefix("sqlite:///")

    @contextmanager
    def connect(self) -> Iterator[psycopg.Connection]:
        """A connection to PostgreSQL that commits each statement, waits no longer than some seconds
        for a lock, and on which the settings that are faults have no effect."""
        with psycopg.connect(
            self.url, autocommit=True, application_name="soak", options=OPTIONS
        ) as connection:
            yield connection

    @contextmanager
    def connect_sqlite(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path, isolation_level=None, timeout=30)) as connection:
            yield connection

    def execute(self, statement: str, *values: object) -> list[Any]:
        """Its rows, if it gives any; %s marks a value. One transaction."""
        if self.is_sqlite:
            with self.connect_sqlite() as lite:
                return lite.execute(statement.replace("%s", "?"), values).fetchall()
        with self.connect() as connection:
            cursor = connection.execute(statement.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def tables(self) -> list[str]:
        """The scheduler's own, the timetable included."""
        catalogue = (
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE %s ORDER BY 1"
            if self.is_sqlite
            else "SELECT tablename FROM pg_tables WHERE schemaname = 'public' "
            "AND tablename LIKE %s ORDER BY 1"
        )
        return [*(name for (name,) in self.execute(catalogue, TABLES)), TIMETABLE]

    def references(self, table: str) -> list[tuple[str, str, bool]]:
        """The columns that refer to this table: (table, column, may be null)."""
        if not self.is_sqlite:
            return self.execute(
                "SELECT c.conrelid::regclass::text, a.attname, NOT a.attnotnull "
                "FROM pg_constraint c JOIN pg_attribute a "
                "ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1] "
                "WHERE c.contype = 'f' AND c.confrelid = %s::regclass",
                table,
            )
        return [
            (other, column, not required)
            for other in self.tables()
            for _, _, target, column, *_ in self.execute(f"PRAGMA foreign_key_list({other})")
            for _, name, _, required, *_ in self.execute(f"PRAGMA table_info({other})")
            if target == table and name == column
        ]


@dataclass(slots=True)
class Stage:
    supervisor: Supervisor
    store: Store
    server: Cluster | None
    """The soak's own PostgreSQL server, if it has one."""
    folder: Path
    longest: float
    """How many seconds one fault may last."""
    timeline: Timeline
    violations: Violations
    over: threading.Event
    """Set when the faults have to end."""

    @property
    def nodes(self) -> Sequence[Node]:
        return self.supervisor.nodes

    @property
    def orders(self) -> Path:
        return self.folder / "orders"

    @property
    def logs_fail(self) -> Path:
        return self.folder / "logs-fail"

    def hold(self, draw: random.Random, longest: float = 40) -> None:
        """Let the fault last for a random time."""
        self.over.wait(draw.uniform(1, min(self.longest, longest)))

    @contextmanager
    def any_node(self, draw: random.Random) -> Iterator[Node | None]:
        """A node that lives and that no other fault has; None if there is none."""
        for node in draw.sample(self.nodes, len(self.nodes)):
            if node.busy.acquire(blocking=False):
                try:
                    if node.process.poll() is None:
                        yield node
                        return
                finally:
                    node.busy.release()
        yield None
