"""What has been counted of jobs' runs, and is not yet in the jobs' own rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connections, models, router
from django.db.models import Max, OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce

from scheduler_app.models import bulk
from scheduler_app.models.primary import PrimaryQuerySet
from scheduler_app.policies import MAX_NAME

COUNTERS = ("run_count", "error_count", "skip_count", "miss_count")


class JobCountQuerySet(PrimaryQuerySet["JobCount"]):
    def append(self, counts: Mapping[str, JobCount]) -> None:
        """Insert what is counted, by the jobs' names. Waits for no lock on a row."""
        rows = list(counts.values())
        if rows:
            bulk.append(rows, connections[router.db_for_write(self.model)])

    def fold(self, names: Sequence[str], job_table: str) -> None:
        """Add what is counted of these (locked) jobs to their rows, and delete it here."""
        connection = connections[router.db_for_write(self.model)]
        table = self.model._meta.db_table
        these, values = bulk.any_of("job_name", names, connection)
        sums = ", ".join(f"sum({counter}) AS {counter}" for counter in COUNTERS)
        totals = f"SELECT job_name, {sums}, max(accounted_to) AS latest FROM {{}} GROUP BY job_name"  # noqa: S608
        changes = ", ".join(f"{name} = {job_table}.{name} + total.{name}" for name in COUNTERS)
        changes += ", accounted_to = coalesce(CASE WHEN accounted_to > latest THEN accounted_to END"
        changes += ", latest, accounted_to)"
        changed = f"{job_table} SET {changes} FROM ({totals}) AS total"
        update = f"UPDATE {changed} WHERE name = job_name"
        delete = f"DELETE FROM {table} WHERE {these}"  # noqa: S608
        with connection.cursor() as cursor:
            if connection.vendor == "sqlite":
                cursor.execute(update.format(f"{table} WHERE {these}"), [values])
                cursor.execute(delete, [values])
            else:  # others insert meanwhile: what is deleted is exactly what is added
                folded = f"WITH folded AS ({delete} RETURNING *) {update.format('folded')}"
                cursor.execute(folded, [values])


class JobCount(models.Model):
    """What one commit adds to a job's counters, and up to when it has accounted for the job's
    occurrences, until a scheduler brings it into the job's row.

    Rows are only inserted, so that whatever ends a run waits for no lock on a job. What is counted
    of a job without a row stays here until the job is back."""

    job_name = models.CharField(max_length=MAX_NAME)
    run_count = models.PositiveIntegerField(default=0)
    error_count = models.PositiveIntegerField(default=0)
    skip_count = models.PositiveIntegerField(default=0)
    miss_count = models.PositiveIntegerField(default=0)
    accounted_to = models.DateTimeField(null=True)

    objects = JobCountQuerySet.as_manager()

    class Meta:
        indexes = (models.Index(fields=("job_name",), name="count_by_job"),)

    def __str__(self) -> str:
        return f"{self.job_name} +{[getattr(self, counter) for counter in COUNTERS]}"


def not_folded(counter: str) -> Coalesce:
    """Return what is counted of the job of the outer query, and not yet in this counter of its
    row."""
    total = _of_job("name").annotate(total=Sum(counter)).values("total")
    return Coalesce(Subquery(total), 0, output_field=models.BigIntegerField())


def latest_not_folded(job_name: str) -> Subquery:
    """Return up to when the job that this column of the outer query names is accounted for, if its
    row does not say so yet."""
    return Subquery(_of_job(job_name).annotate(latest=Max("accounted_to")).values("latest"))


def _of_job(column: str) -> models.QuerySet[JobCount, Any]:
    return JobCount.objects.filter(job_name=OuterRef(column)).order_by().values("job_name")
