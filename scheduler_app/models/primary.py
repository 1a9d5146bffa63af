"""Reads of the scheduler's tables, made where they are written: a replica, to which a router may
send the project's reads, lags behind, and decisions based on it would be wrong."""

from typing import TypeVar

from django.db import models

M = TypeVar("M", bound=models.Model)


class PrimaryQuerySet(models.QuerySet[M]):
    @property
    def db(self) -> str:
        """The alias of the database that it is asked of: the one that is written to."""
        self._for_write = True
        return super().db
