"""What schedulers declare, kept so that every node can apply what any of them declares."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import models
from django.db.models.functions import Now

from scheduler_app.models.primary import PrimaryQuerySet
from scheduler_app.zones import ZoneOffsets


class Release(models.Model):
    """All declarations of one state of the code, with the rules of their time zones.

    Of several releases that declare a job, the one that was first seen last decides. A release that
    starts while no other is alive counts as first seen then, so a rollback wins."""

    digest = models.CharField(max_length=32, primary_key=True)
    declares = models.JSONField(help_text="The declared values of each job, by its name.")
    since = models.DateTimeField(db_default=Now())

    objects = PrimaryQuerySet.as_manager()

    class Meta:
        ordering = ("-since", "digest")

    def __str__(self) -> str:
        return self.digest


class ZoneRulesQuerySet(PrimaryQuerySet["ZoneRules"]):
    def remember(self, zones: Iterable[ZoneOffsets]) -> None:
        """Keep these rules, so that they are known when a later tzdata has others."""
        rows = [ZoneRules(digest=known.digest, steps=known.steps) for known in zones]
        self.bulk_create(rows, ignore_conflicts=True)

    def offsets(self, digests: Iterable[str]) -> dict[str, ZoneOffsets]:
        """Return the remembered rules among these, by digest."""
        rows = self.filter(digest__in=set(digests)).values_list("digest", "steps")
        return {
            digest: ZoneOffsets(tuple((begin, offset) for begin, offset in steps))
            for digest, steps in rows
        }


class ZoneRules(models.Model):
    """The offsets of a time zone by some tzdata: what a schedule was computed with."""

    digest = models.CharField(max_length=16, primary_key=True)
    steps = models.JSONField(help_text="From when (POSIX time) which offset (seconds) holds.")

    objects = ZoneRulesQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "zone rules"

    def __str__(self) -> str:
        return self.digest
