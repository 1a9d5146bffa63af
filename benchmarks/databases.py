"""Databases for single measurements, each fresh and migrated, dropped after use."""

import os
import shutil
import sqlite3
import subprocess
import sys
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from datetime import UTC, datetime
from functools import cached_property
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
    def rows(self, statement: str) -> list[Any]:
        path = self.url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(path, timeout=60)) as connection, connection:
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
    def fresh(self) -> AbstractContextManager[Database]:
        """A database of its own, migrated."""

    @abstractmethod
    def copy(self, database: Database) -> AbstractContextManager[Database]:
        """A copy of a database that nobody is using."""


class SQLite(Server):
    title = "SQLite"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def version(self) -> str:
        return f"SQLite {sqlite3.sqlite_version}"

    @cached_property
    def _template(self) -> Database:
        database = SQLiteDatabase(f"sqlite:///{self._folder}/template.sqlite3")
        database.migrate()
        return database

    def fresh(self) -> AbstractContextManager[Database]:
        return self.copy(self._template)

    @contextmanager
    def copy(self, database: Database) -> Iterator[Database]:
        database.rows("PRAGMA wal_checkpoint(TRUNCATE)")
        path = self._folder / f"{uuid.uuid4().hex}.sqlite3"
        shutil.copy(database.url.removeprefix("sqlite:///"), path)
        yield SQLiteDatabase(f"sqlite:///{path}")
        for file in self._folder.glob(f"{path.name}*"):
            file.unlink()


class Postgres(Server):
    title = "PostgreSQL"

    def __init__(self, url: str) -> None:
        self._server = PostgresDatabase(url)
        self._made = ExitStack()

    def version(self) -> str:
        return f"PostgreSQL {self._server.rows('SHOW server_version')[0][0]}"

    def answers(self) -> bool:
        try:
            psycopg.connect(self._server.url, connect_timeout=3).close()
        except psycopg.OperationalError:
            return False
        return True

    @cached_property
    def _template(self) -> Database:
        database = self._made.enter_context(self._created("template0"))
        database.migrate()
        return database

    def fresh(self) -> AbstractContextManager[Database]:
        return self.copy(self._template)

    def copy(self, database: Database) -> AbstractContextManager[Database]:
        return self._created(database.url.rpartition("/")[2])

    def close(self) -> None:
        """Drop what is left."""
        self._made.close()

    @contextmanager
    def _created(self, template: str) -> Iterator[Database]:
        name = f"bench_{uuid.uuid4().hex}"
        self._server.rows(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield PostgresDatabase(f"{self._server.url.rpartition('/')[0]}/{name}")
        finally:
            self._server.rows(f"DROP DATABASE {name} WITH (FORCE)")


def moment(value: Any) -> float:
    """A column's moment in seconds since 1970: text on SQLite, a datetime on PostgreSQL, a number
    where the column holds one."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value).replace(tzinfo=UTC)
    return float(value.timestamp() if isinstance(value, datetime) else value)
