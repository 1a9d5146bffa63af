"""Clocks that a test puts forward and back while processes live by them."""

from pathlib import Path

import psycopg


class MachineClock:
    """That of the processes started with this `env`."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.env = {"CHAOS_CLOCK": str(self._file)}
        self.put(0)

    def put(self, seconds: float) -> None:
        """So far from the right time."""
        draft = self._file.with_suffix(".draft")
        draft.write_text(str(seconds))
        draft.rename(self._file)


class ServerClock:
    """That of one database of a PostgreSQL server. Make it before the tables: their defaults ask
    for the time, too."""

    FUNCTIONS = ("clock_timestamp", "statement_timestamp", "transaction_timestamp", "now")

    def __init__(self, url: str) -> None:
        self.env: dict[str, str] = {}
        self._url = url
        name = url.rpartition("/")[2]
        self._do("CREATE SCHEMA wrong")
        self._do("CREATE TABLE wrong.clock AS SELECT interval '0' AS error")
        for function in self.FUNCTIONS:
            self._do(
                f"CREATE FUNCTION wrong.{function}() RETURNS timestamptz LANGUAGE sql AS "
                f"'SELECT pg_catalog.{function}() + error FROM wrong.clock'"
            )
        self._do(f"ALTER DATABASE {name} SET search_path = public, wrong, pg_catalog")

    def put(self, seconds: float) -> None:
        """So far from the right time."""
        self._do(f"UPDATE wrong.clock SET error = interval '{seconds} seconds'")

    def _do(self, statement: str) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(statement.encode())
