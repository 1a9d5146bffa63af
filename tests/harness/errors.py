"""Errors as the database raises them."""

import sqlite3

import psycopg
from django.db import OperationalError, connection


def database_error(code: str) -> OperationalError:
    """Return one with this SQLSTATE on PostgreSQL, with these words on SQLite."""
    error = OperationalError(code)
    if connection.vendor == "postgresql":
        error.__cause__ = type("Cause", (psycopg.OperationalError,), {"sqlstate": code})()
    else:
        error.__cause__ = sqlite3.OperationalError(code)
    return error
