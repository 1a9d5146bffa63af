"""Jobs that people have added, which no code declares."""

from __future__ import annotations

from functools import lru_cache

from django.db import models
from django.utils import timezone

from scheduler_app.models import bulk
from scheduler_app.models.primary import PrimaryQuerySet
from scheduler_app.policies import MAX_NAME

MAX_PATH = 255
"""Characters of the path of a function."""


COLUMNS = ("name", "function", "command", "arguments", "description", "declaration")


class AddedJobQuerySet(PrimaryQuerySet["AddedJob"]):
    def signature(self) -> str:
        """Return what tells whether the rows are as they were before."""
        return bulk.signature(_compiled(self.db))


class AddedJob(models.Model):
    """What a job that people have added calls, when, and by which policies. The schedulers whose
    code has that function, or command, fire it like a declared one."""

    name = models.CharField(max_length=MAX_NAME, primary_key=True)
    function = models.CharField(
        max_length=MAX_PATH, blank=True, help_text='Its path, such as "shop.jobs.send_report".'
    )
    command = models.CharField(
        max_length=MAX_PATH, blank=True, help_text="A management command, in place of a function."
    )
    arguments = models.TextField(
        blank=True, help_text="As JSON: keyword arguments of the function, or words of the command."
    )
    description = models.TextField(blank=True)
    declaration = models.TextField(help_text="Schedule and policies, as JSON.")
    added_by = models.CharField(max_length=255)
    added_at = models.DateTimeField(default=timezone.now)

    objects = AddedJobQuerySet.as_manager()

    class Meta:
        ordering = ("name",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(function="", command__gt="")
                | models.Q(function__gt="", command=""),
                name="added_job_calls_one_thing",
            ),
        )

    def __str__(self) -> str:
        return self.name


@lru_cache(maxsize=16)
def _compiled(alias: str) -> bulk.Compiled:
    return bulk.compiled(AddedJob.objects.using(alias).order_by().values_list(*COLUMNS))
