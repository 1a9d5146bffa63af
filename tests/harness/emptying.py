"""Empties the database after a test that commits.

Django truncates all tables, which on PostgreSQL takes longer than most tests, and then inserts all
permissions anew. Few tables have rows: those are deleted. What a migration leaves stays."""

from functools import cache

from django.db import connections, transaction
from django.test import TransactionTestCase

KEPT = {"django_migrations", "django_content_type", "auth_permission"}


def empty(case: TransactionTestCase) -> None:
    """Do this in place of TransactionTestCase._fixture_teardown."""
    for alias in case._databases_names(include_mirrors=False):  # type: ignore[attr-defined]
        with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
            cursor.execute(
                " UNION ALL ".join(
                    f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM {table})"
                    for table in _tables(alias)
                )
            )
            for (table,) in cursor.fetchall():
                cursor.execute(f"DELETE FROM {table}")


@cache
def _tables(alias: str) -> list[str]:
    found = connections[alias].introspection.django_table_names(only_existing=True)
    return sorted(set(found) - KEPT)
