"""A database of its own for each site."""

import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg


@dataclass(frozen=True, slots=True)
class Database:
    url: str
    ask: Callable[[str], list[Any]]
    """The rows that a query gives, on a connection of its own."""


def sqlite_database(folder: Path) -> Database:
    """One in a file of this folder."""
    path = folder / "site.sqlite3"

    def ask(query: str) -> list[Any]:
        connection = sqlite3.connect(path, timeout=20)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()

    return Database(f"sqlite:///{path}", ask)


@contextmanager
def postgres_database(server: str) -> Iterator[Database]:
    """A new one on the server that this URL names; dropped afterwards."""
    name = f"site_{uuid.uuid4().hex}"
    url = f"{server.rsplit('/', 1)[0]}/{name}"

    def ask(query: str) -> list[Any]:
        with psycopg.connect(url) as connection:
            return connection.execute(query.encode()).fetchall()

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield Database(url, ask)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
