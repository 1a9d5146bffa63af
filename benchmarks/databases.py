"""Databases for single measurements, each fresh and migrated, dropped after use."""

import os
import shutil
import sqlite3
import subprocess
import sys
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

ROOT = Path(__file__).resolve().parent.parent


class Database(ABC):
    """One database."""

    def __init__(self, url: str) -> None:
        self.url = url

    @abstractmethod
    def rows(self, statement: str) -> list[Any]:
        """Execute and commit a statement; what it returns, if anything."""

    def number(self, query: str) -> float:
        """The one number that the query returns."""
        return float(self.rows(query)[0][0])

    @property
    def environment(self) -> dict[str, str]:
        """That of a process that works on this database."""
        return os.environ | {
            "DATABASE_URL": self.url,
            "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
            "PYTHONUNBUFFERED": "1",
        }

    def migrate(self) -> None:
        command = [sys.executable, "manage.py", "migrate", "--verbosity=0"]
        subprocess.run(command, cwd=ROOT, env=self.environment, check=True)


class SQLiteDatabase(Database):
    def __init__(self, path: Path) -> None:
        super().__init__(f"sqlite:///{path}")
        self.path = path

    def rows(self, statement: str) -> list[Any]:
        with closing(sqlite3.connect(self.path, timeout=60)) as connection, connection:
            return connection.execute(statement).fetchall()


class PostgresDatabase(Database):
    def rows(self, statement: str) -> list[Any]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []


class Server(ABC):
    """Where databases come from."""

    title: str

    @abstractmethod
    def version(self) -> str: ...

    @abstractmethod
    def fresh(self) -> Any:
        """A context manager: a Database of its own, migrated."""


@dataclass
class SQLite(Server):
    folder: Path
    title: str = "SQLite"
    _template: SQLiteDatabase | None = None

    def version(self) -> str:
        return f"SQLite {sqlite3.sqlite_version}"

    @contextmanager
    def fresh(self) -> Iterator[Database]:
        if self._template is None:
            self._template = SQLiteDatabase(self.folder / "template.sqlite3")
            self._template.migrate()
        database = SQLiteDatabase(self.folder / f"{uuid.uuid4().hex}.sqlite3")
        shutil.copy(self._template.path, database.path)
        yield database
        for file in self.folder.glob(f"{database.path.name}*"):
            file.unlink()


@dataclass
class Postgres(Server):
    url: str
    title: str = "PostgreSQL"
    _template: str = ""
    _stack: ExitStack = field(default_factory=ExitStack)

    def version(self) -> str:
        return f"PostgreSQL {PostgresDatabase(self.url).rows('SHOW server_version')[0][0]}"

    def answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=3).close()
        except psycopg.OperationalError:
            return False
        return True

    @contextmanager
    def fresh(self) -> Iterator[Database]:
        if not self._template:
            self._template = self._stack.enter_context(self._created(""))
            self._database(self._template).migrate()
        with self._created(f"TEMPLATE {self._template}") as name:
            yield self._database(name)

    def close(self) -> None:
        self._stack.close()

    @contextmanager
    def _created(self, options: str) -> Iterator[str]:
        server, name = PostgresDatabase(self.url), f"bench_{uuid.uuid4().hex}"
        server.rows(f"CREATE DATABASE {name} {options}")
        try:
            yield name
        finally:
            server.rows(f"DROP DATABASE {name} WITH (FORCE)")

    def _database(self, name: str) -> PostgresDatabase:
        return PostgresDatabase(f"{self.url.rsplit('/', 1)[0]}/{name}")


def moment(value: Any) -> float:
    """A column's moment in seconds since 1970: text on SQLite, a datetime on PostgreSQL, a number
    where the column holds one."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value).replace(tzinfo=UTC)
    return float(value.timestamp() if isinstance(value, datetime) else value)
