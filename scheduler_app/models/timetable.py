"""The rows of django-apscheduler's table that are the timetable, apart from those of a scheduler
that the project runs itself: their ids bear a prefix, and no one else is shown them."""

from collections.abc import Iterable
from typing import Any

from django.db import models
from django_apscheduler.models import DjangoJob

from scheduler_app.models.primary import PrimaryQuerySet

PREFIX = "scheduler_app:"


def row_id(name: str) -> str:
    """Return the id of a job's row."""
    return PREFIX + name


def row_ids(names: Iterable[str]) -> list[str]:
    return [PREFIX + name for name in names]


def name_of(row_id: str) -> str:
    """Return the name of the job whose row this is."""
    return row_id.removeprefix(PREFIX)


def timetable_rows() -> PrimaryQuerySet[DjangoJob]:
    """Return the timetable: when each job is due next."""
    return PrimaryQuerySet(DjangoJob).filter(id__startswith=PREFIX)


class _TheirJobs(models.Manager[DjangoJob]):
    """What `DjangoJob.objects` gives: a scheduler of the project's own would fetch our due jobs
    over and over, show them in its pages, and delete them with `remove_all_jobs()`."""

    def get_queryset(self) -> models.QuerySet[DjangoJob]:
        return super().get_queryset().exclude(id__startswith=PREFIX)


def keep_apart() -> None:
    """Have `DjangoJob.objects` leave our rows out."""
    options: Any = DjangoJob._meta
    options.local_managers = [each for each in options.local_managers if each.name != "objects"]
    DjangoJob.add_to_class("objects", _TheirJobs())
