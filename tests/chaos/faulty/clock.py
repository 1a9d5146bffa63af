"""The wall clock of this process's machine, which a test may put forward and back.

How far it is off stands in a file, named by CHAOS_CLOCK. The monotonic clock is left alone, and so
is time.time(): nobody here reads it but gRPC, whose other half, in C, reads the true clock. To
that the two would seem to differ, as no two readings of one clock do."""

import os
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.utils import timezone


def arm() -> None:
    """Have Django, and SQLite, which has no clock of its own, read this machine's clock with the
    error, if a test has set one."""
    path = os.environ.get("CHAOS_CLOCK")
    if not path:
        return
    file = Path(path)

    def error() -> float:
        return float(file.read_text())

    class WrongDatetime(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return datetime.now(tz) + timedelta(seconds=error())

    def strftime(form: str, moment: str) -> str:
        modifiers = [f"{error()} seconds"] if moment.upper() == "NOW" else []
        marks = ", ".join("?" * (2 + len(modifiers)))
        with closing(sqlite3.connect(":memory:")) as right:
            (text,) = right.execute(f"SELECT strftime({marks})", (form, moment, *modifiers))
        return str(text[0])

    def put_into(connection: BaseDatabaseWrapper, **_: object) -> None:
        if connection.vendor == "sqlite":
            connection.connection.create_function("strftime", 2, strftime)

    timezone.datetime = WrongDatetime  # type: ignore[attr-defined]
    connection_created.connect(put_into, weak=False)
