"""Real processes on a database of their own, for the tests that start, signal and kill them."""

from tests.harness.daemon import ROOT, Daemon
from tests.harness.databases import Database, postgres_database, sqlite_database
from tests.harness.site import Site
from tests.harness.waiting import eventually

__all__ = [
    "ROOT",
    "Daemon",
    "Database",
    "Site",
    "eventually",
    "postgres_database",
    "sqlite_database",
]
