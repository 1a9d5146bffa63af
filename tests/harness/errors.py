"""Errors as the database raises them."""

import sqlite3

import psycopg
from django.db import DatabaseError, OperationalError, ProgrammingError, connection


def database_error(code: str) -> DatabaseError:
    """Return one with this SQLSTATE on PostgreSQL, with these words on SQLite."""
    is_wrong = connection.vendor == "postgresql" and code.startswith("42")
    error = ProgrammingError(code) if is_wrong else OperationalError(code)
    if connection.vendor == "postgresql":
        error.__cause__ = type("Cause", (psycopg.OperationalError,), {"sqlstate": code})()
    else:
        error.__cause__ = sqlite3.OperationalError(code)
    return error
