"""What became of each job's runs, hour by hour and week by week: counts and histograms.

- A row is of a job and a span of UTC time: an hour, or a week from Monday. A week is the sum of its
  hours. Two weeks of 10,000 jobs are 20,000 rows, their hours would be 3.4 million: what is usual
  for a job is read from weeks, a plot of one job from hours.
- A run belongs to the hour in which it ended (`finished_at`): only recent rows change, runs are
  pruned by the same moment, and an index finds an hour's runs to count them again.
- A MISSED or SKIPPED row counts as many times as it has occurrences, as in the job's counters.
  `retried` are the failed and lost attempts that were tried again, `given_up` the cancelled retries
  that never began: `failed + lost - retried + given_up` is what the counter of failures counts.
- Durations are those of successes: a failure often comes early, and a lost run's end is only when
  that was noticed. Lateness is of all runs that started.
- A histogram is sparse, as JSON: `{"40": 3}` are three values in bucket 40. Bucket 0 is less than
  1 ms; each other one reaches to 2 ** (1/4) times its beginning, so that its middle is within 9.1%
  of every value in it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from django.db import models
from django.db.models.functions import Now

from scheduler_app.models.primary import PrimaryQuerySet
from scheduler_app.policies import MAX_NAME

Histogram = dict[int, int]
COUNTS = (
    "success",
    "failed",
    "lost",
    "cancelled",
    "skipped",
    "missed",
    "retried",
    "given_up",
)
HISTOGRAMS = ("durations", "latenesses")
STEPS = 4
"""In so many buckets a value doubles."""
LAST_BUCKET = 200
"""Where everything longer than 25,000 years is."""
_EPOCH = datetime(1970, 1, 5, tzinfo=UTC)
"""A Monday."""


class Span(models.IntegerChoices):
    """How long the time of a row is, in hours."""

    HOUR = 1, "hour"
    WEEK = 168, "week"

    def begin(self, moment: datetime) -> datetime:
        """Return the beginning of the hour or week in which the moment is."""
        return moment - (moment - _EPOCH) % timedelta(hours=self.value)


def bucket(value: timedelta) -> int:
    """Return the bucket of this length of time; one below zero counts as none."""
    milliseconds = value / timedelta(milliseconds=1)
    if milliseconds < 1:
        return 0
    return min(1 + math.floor(STEPS * math.log2(milliseconds)), LAST_BUCKET)


def middle(number: int) -> timedelta:
    """Return the (geometric) middle of a bucket."""
    return timedelta(milliseconds=2 ** ((number - 0.5) / STEPS)) if number > 0 else timedelta()


def quantile(histogram: Mapping[int, int], share: float) -> timedelta | None:
    """Return the value below which this share of the values is, within 9.1%; None if there are
    none."""
    total = sum(histogram.values())
    rank = max(1, math.ceil(share * total))
    for number in sorted(histogram):
        rank -= histogram[number]
        if rank <= 0:
            return middle(number)
    return None


def packed(histogram: Mapping[int, int]) -> str:
    found = {str(number): histogram[number] for number in sorted(histogram) if histogram[number]}
    return json.dumps(found, separators=(",", ":"))


def unpacked(text: str) -> Histogram:
    """Return a histogram; an empty one for a text that was spoilt."""
    try:
        found = json.loads(text)
        return {min(int(key), LAST_BUCKET): int(value) for key, value in found.items()}
    except (ValueError, TypeError, AttributeError, RecursionError, OverflowError):
        return {}


class RollupQuerySet(PrimaryQuerySet["Rollup"]):
    """Has a name of its own, by which types are known."""


class RollupStateQuerySet(PrimaryQuerySet["RollupState"]):
    """As above."""


class Rollup(models.Model):
    """What became of a job's runs that ended in one hour, or in one week."""

    job_name = models.CharField("job", max_length=MAX_NAME)
    span = models.PositiveSmallIntegerField(choices=Span.choices)
    begin = models.DateTimeField()
    success = models.BigIntegerField(default=0)
    failed = models.BigIntegerField(default=0)
    lost = models.BigIntegerField(default=0)
    cancelled = models.BigIntegerField(default=0)
    skipped = models.BigIntegerField(default=0)
    missed = models.BigIntegerField(default=0)
    retried = models.BigIntegerField(default=0)
    given_up = models.BigIntegerField(default=0)
    durations = models.TextField(default="{}")
    latenesses = models.TextField(default="{}")

    objects = RollupQuerySet.as_manager()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("job_name", "span", "begin"), name="rollup_once"),
        )
        indexes = (models.Index(fields=("span", "begin"), name="rollup_by_age"),)

    def __str__(self) -> str:
        return f"{self.job_name} {self.begin} +{self.span} h"


class RollupState(models.Model):
    """How far the rollups are: one row, which is locked by who changes them."""

    position = models.TextField(blank=True, help_text="What of the change feed is counted.")
    last_change = models.BigIntegerField(
        default=0, help_text="The newest row of the feed at that position."
    )
    folded_at = models.DateTimeField(db_default=Now())
    recount_from = models.DateTimeField(
        null=True, help_text="From when runs are to be counted again."
    )
    recount_after = models.CharField(
        max_length=MAX_NAME, blank=True, help_text="Up to which job this hour is counted."
    )

    objects = RollupStateQuerySet.as_manager()

    class Meta:
        constraints = (
            models.CheckConstraint(condition=models.Q(pk=1), name="rollup_has_one_state"),
        )

    def __str__(self) -> str:
        return f"folded to {self.folded_at}"
