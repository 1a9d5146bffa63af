"""Reads of the scheduler's tables, made where they are written: a replica, to which a router may
send the project's reads, lags behind, and what is decided by it would be wrong."""

from typing import TypeVar

from django.db import models, router
from django_apscheduler.models import DjangoJob

M = TypeVar("M", bound=models.Model)


class PrimaryManager(models.Manager[M]):
    def get_queryset(self) -> models.QuerySet[M]:
        return super().get_queryset().using(router.db_for_write(self.model))


def timetable_rows() -> models.QuerySet[DjangoJob]:
    """The timetable, which is django-apscheduler's model."""
    rows: models.QuerySet[DjangoJob] = DjangoJob.objects.using(router.db_for_write(DjangoJob))
    return rows
