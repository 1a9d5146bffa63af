"""What kind of error a database reports, and how to say it."""

import sqlite3
from enum import Enum

from django.db import IntegrityError, InterfaceError, OperationalError, ProgrammingError

from scheduler_app.text import printable


class Fault(Enum):
    """Kinds of database errors that are dealt with differently."""

    CONFLICT = "Other transactions changed the same rows at the same time; try again."
    LOCKED = "Another transaction holds what is needed; try again."
    SLOW = "The database ended the statement: it took longer than its settings allow; try again."
    AWAY = "The database does not answer."
    UNMIGRATED = "The database lacks tables or columns of this version; run `manage.py migrate`."
    REFUSED = "The database refused the statement; the log tells more."
    SURPRISE = "An error of this program; the log tells more."


STATES = {
    "40001": Fault.CONFLICT,  # serialization failure
    "40P01": Fault.CONFLICT,  # deadlock
    "55P03": Fault.LOCKED,
    "57014": Fault.SLOW,
    "42P01": Fault.UNMIGRATED,  # undefined table
    "42703": Fault.UNMIGRATED,  # undefined column
}
"""By PostgreSQL's codes."""
SQLITE_MESSAGES = {
    "is locked": Fault.LOCKED,
    "unable to open": Fault.AWAY,
    "no such table": Fault.UNMIGRATED,
    "no such column": Fault.UNMIGRATED,
    "has no column": Fault.UNMIGRATED,
}


def fault_of(error: Exception) -> Fault:
    """Return which kind of error this is."""
    if isinstance(error, InterfaceError):
        return Fault.AWAY
    if isinstance(error, IntegrityError):
        return Fault.CONFLICT  # two transactions added what may be there once
    if not isinstance(error, OperationalError | ProgrammingError):
        return Fault.SURPRISE
    if isinstance(error.__cause__, sqlite3.Error):
        found = (fault for words, fault in SQLITE_MESSAGES.items() if words in str(error))
        return next(found, Fault.REFUSED)
    state = getattr(error.__cause__, "sqlstate", None) or ""
    if isinstance(error, ProgrammingError):
        return STATES.get(state, Fault.SURPRISE)
    is_away = state[:2] in ("", "08", "57")  # no connection, or its end
    return STATES.get(state, Fault.AWAY if is_away else Fault.REFUSED)


def in_words(error: Exception) -> str:
    """Return what the database said and, where that says little, before it what it means."""
    fault = fault_of(error)
    meaning = "" if fault in (Fault.REFUSED, Fault.SURPRISE) else f"{fault.value} "
    lines = [printable(line) for line in str(error).splitlines() if line.strip()]
    return meaning + "\n".join(lines)
