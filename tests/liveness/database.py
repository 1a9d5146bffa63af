"""What other clients do to the database."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from tests.liveness.conftest import SickSite

REFUSE = """
CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'refused by a trigger'; END $$
"""


def execute(site: SickSite, *statements: str) -> None:
    url = site.env["DATABASE_URL"]
    if site.is_postgres:
        with psycopg.connect(url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())
        return
    other = sqlite3.connect(url.removeprefix("sqlite:///"), timeout=20)
    for statement in statements:
        other.execute(statement)
    other.commit()
    other.close()


def refuse(site: SickSite, action: str, table: str) -> None:
    """Have the database refuse every INSERT, say, into this table."""
    if site.is_postgres:
        trigger = f"CREATE TRIGGER no BEFORE {action} ON {table} EXECUTE FUNCTION refuse()"
        execute(site, REFUSE, trigger)
    else:
        raises = "BEGIN SELECT RAISE(ABORT, 'refused by a trigger'); END"
        execute(site, f"CREATE TRIGGER no BEFORE {action} ON {table} {raises}")


def allow(site: SickSite, table: str) -> None:
    """Undo refuse()."""
    execute(site, f"DROP TRIGGER no ON {table}" if site.is_postgres else "DROP TRIGGER no")


@contextmanager
def held(site: SickSite, *statements: str) -> Iterator[None]:
    """Another client's transaction, in which it has executed these statements on PostgreSQL; on
    SQLite it has the write lock, which is all that there is."""
    url = site.env["DATABASE_URL"]
    if site.is_postgres:
        with psycopg.connect(url) as connection:
            for statement in statements:
                connection.execute(statement.encode())
            yield
            connection.rollback()
        return
    other = sqlite3.connect(url.removeprefix("sqlite:///"), timeout=20, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.execute("ROLLBACK")
    other.close()
