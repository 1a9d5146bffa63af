"""A job, as all processes see it: its declaration, its switches, its counters."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields
from hashlib import blake2b

from django.db import models
from django.db.models import F

from scheduler_app.cron import MAX_TEXT, MAX_ZONE, Schedule
from scheduler_app.models.count import COUNTERS, JobCount, latest_not_folded, not_folded
from scheduler_app.models.primary import PrimaryQuerySet
from scheduler_app.policies import MAX_APP, MAX_NAME, CatchUp, Overlap, Policies
from scheduler_app.text import is_storable

PAUSE = ("paused_at", "paused_by", "pause_reason", "paused_until")
"""The fields of a job that a pause sets."""


def can_be_name(name: str) -> bool:
    """Return whether a job can have this name; no database is asked for any other."""
    return 0 < len(name) <= MAX_NAME and is_storable(name)


class JobQuerySet(PrimaryQuerySet["Job"]):
    def declared(self) -> JobQuerySet:
        """Return the jobs that some living scheduler's code declares."""
        return self.filter(orphaned_at=None)

    def orphaned(self) -> JobQuerySet:
        return self.exclude(orphaned_at=None)

    def matching(
        self, *, name_prefix: str = "", app: str = "", names: Collection[str] = ()
    ) -> JobQuerySet:
        """Return the jobs to which all that is given applies."""
        found = self.filter(name__startswith=name_prefix) if name_prefix else self
        found = found.filter(app=app) if app else found
        return found.filter(name__in=names) if names else found

    def paused(self) -> JobQuerySet:
        return self.exclude(paused_at=None)

    def counted(self) -> JobQuerySet:
        """Return the jobs, each with its counters as they are now: `total_run_count` and so on. One
        statement reads what is in the job's row and what is not yet, so that both are of one
        moment. `latest_accounted_to` is what is not in `accounted_to` yet, if anything."""
        totals = {f"total_{counter}": F(counter) + not_folded(counter) for counter in COUNTERS}
        return self.annotate(**totals, latest_accounted_to=latest_not_folded("name"))

    def to_fold(self, limit: int) -> list[str]:
        """Lock jobs that have counts which are not in their rows yet, and skip those that other
        transactions hold; return their names."""
        jobs = self.filter(name__in=JobCount.objects.order_by().values("job_name"))
        locked = jobs.order_by("name").select_for_update(skip_locked=True)
        return list(locked.values_list("name", flat=True)[:limit])


class Job(models.Model):
    """A declared job. The declaration's fields are copied from the code when a scheduler starts;
    the counters count every outcome for ever, whatever is pruned from the history. Read them with
    counted(): what the last seconds have brought is in JobCount."""

    name = models.CharField(max_length=MAX_NAME, primary_key=True)
    description = models.TextField(blank=True)
    app = models.CharField(
        max_length=MAX_APP, blank=True, help_text="The label of the app whose code declares it."
    )
    cron = models.CharField("schedule", max_length=MAX_TEXT)
    timezone = models.CharField("time zone", max_length=MAX_ZONE)
    jitter = models.PositiveIntegerField(default=0, help_text="Seconds.")
    zone_rules = models.CharField(
        max_length=16, blank=True, help_text="Which rules of the time zone are in force."
    )

    overlap = models.CharField(max_length=20, choices=Overlap.choices, default=Overlap.SKIP)
    catch_up = models.CharField(max_length=10, choices=CatchUp.choices, default=CatchUp.SKIP)
    catch_up_limit = models.PositiveIntegerField(default=100)
    retries = models.PositiveSmallIntegerField(default=0)
    retry_delay = models.FloatField(default=60.0, help_text="Seconds.")
    retry_max_delay = models.FloatField(default=3600.0, help_text="Seconds.")
    timeout = models.FloatField(null=True, blank=True, help_text="Seconds.")
    isolated = models.BooleanField(default=False, help_text="Has a process of its own.")
    pause_on_failure = models.PositiveSmallIntegerField(
        default=0, help_text="After how many failures in a row it is paused; 0: never."
    )

    overrides = models.TextField(
        blank=True, help_text="What people have set in place of the code's declaration, as JSON."
    )
    declared = models.TextField(
        blank=True, help_text="What the code declares of the same fields, as JSON."
    )

    paused_at = models.DateTimeField(null=True, blank=True)
    paused_by = models.CharField(max_length=255, blank=True)
    pause_reason = models.TextField(blank=True)
    paused_until = models.DateTimeField(
        null=True, blank=True, help_text="When it is resumed by itself."
    )
    orphaned_at = models.DateTimeField(
        null=True, blank=True, help_text="Since when no scheduler's code declares this job."
    )

    run_count = models.PositiveBigIntegerField("successes", default=0)
    error_count = models.PositiveBigIntegerField("failures", default=0)
    skip_count = models.PositiveBigIntegerField("skipped", default=0)
    miss_count = models.PositiveBigIntegerField("missed", default=0)

    accounted_to = models.DateTimeField(
        null=True,
        blank=True,
        help_text="The last occurrence that was accounted for, whatever has become of its row.",
    )
    pruned_to = models.DateTimeField(
        null=True, blank=True, help_text="The history is complete only after this moment."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        ordering = ("name",)
        permissions = (
            ("pause_job", "Can pause a job"),
            ("resume_job", "Can resume a job"),
            ("trigger_job", "Can run a job now"),
        )
        constraints = (
            models.CheckConstraint(
                condition=models.Q(overlap__in=Overlap.values), name="job_overlap_is_known"
            ),
            models.CheckConstraint(
                condition=models.Q(catch_up__in=CatchUp.values), name="job_catch_up_is_known"
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def schedule(self) -> Schedule:
        return Schedule(self.cron, self.timezone, self.jitter, self.name)

    @property
    def policies(self) -> Policies:
        return Policies(**{field.name: getattr(self, field.name) for field in fields(Policies)})

    @property
    def etag(self) -> str:
        """Return what changes whenever people change what the job does: its schedule, policies or
        pause; never with a run."""
        names = ("description", "cron", "timezone", "jitter", "overrides", *PAUSE, "orphaned_at")
        values = [getattr(self, name) for name in names] + [self.policies]
        return blake2b(repr(values).encode(), digest_size=8).hexdigest()

    @property
    def is_paused(self) -> bool:
        return self.paused_at is not None

    @property
    def is_orphaned(self) -> bool:
        return self.orphaned_at is not None
