"""What running runs have said so far, apart from their rows: nothing that a scheduler commits of a
run waits for what it tells meanwhile, and the other way round."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from django.db import connections, models

from scheduler_app.models import bulk
from scheduler_app.models.heartbeat import NOW
from scheduler_app.models.primary import PrimaryQuerySet
from scheduler_app.models.run import JobRun

PRUNED_AT_ONCE = 1_000
TOLD = ("metadata", "progress")
_TABLE, _RUNS = "scheduler_app_runprogress", "scheduler_app_jobrun"


class RunProgressQuerySet(PrimaryQuerySet["RunProgress"]):
    def write(self, rows: Sequence[RunProgress], node_id: int, *, with_logs: bool) -> None:
        """Write what these runs have said so far, without their logs if these are as they were.
        Nothing is written of a run that this node does not carry out any more. Call it in a
        transaction."""
        connection = connections[self.db]
        names = ("run", *TOLD, *(("log",) if with_logs else ()))
        values, parameters = bulk.rows_as_table(
            rows, [RunProgress._meta.get_field(name) for name in names], connection
        )
        columns = [*TOLD, *(("log",) if with_logs else ())]
        log = "new.log" if with_logs else "''"
        replaced = ", ".join(
            f"{name} = excluded.{name}" for name in ("at", "run_created_at", *columns)
        )
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {_TABLE} (run_id, run_created_at, at, metadata, progress, log) "  # noqa: S608
                f"SELECT run.id, run.created_at, {NOW[connection.vendor]}, new.metadata, "
                f"new.progress, {log} FROM ({values}) AS new "
                f"JOIN {_RUNS} AS run ON run.id = new.run_id "
                "WHERE run.finished_at IS NULL AND run.started_at IS NOT NULL "
                "AND run.node_id = %s "
                f"ON CONFLICT (run_id) DO UPDATE SET {replaced}",
                [*parameters, node_id],
            )

    def keep(self, runs: Collection[int]) -> None:
        """Keep, in the rows of these (locked) runs that end here, what they have said so
        far. Call it in a transaction."""
        if not runs:
            return
        connection = connections[self.db]
        these, values = bulk.any_of(f"{_RUNS}.id", list(runs), connection)
        with connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE {_RUNS} SET log = told.log, metadata = told.metadata, "  # noqa: S608
                f"progress = told.progress FROM {_TABLE} AS told WHERE told.run_id = {_RUNS}.id "
                f"AND told.run_created_at = {_RUNS}.created_at AND {these}",
                [values],
            )

    def prune(self) -> int:
        """Delete rows of runs that have ended or are gone, a thousand at most, and none that
        another transaction has locked. Return how many."""
        connection = connections[self.db]
        lock = "FOR UPDATE OF told SKIP LOCKED" if connection.vendor == "postgresql" else ""
        with connection.cursor() as cursor:
            cursor.execute(
                f"DELETE FROM {_TABLE} WHERE run_id IN ("  # noqa: S608
                f"SELECT told.run_id FROM {_TABLE} AS told WHERE NOT EXISTS ("
                f"SELECT 1 FROM {_RUNS} AS run WHERE run.id = told.run_id "
                f"AND run.finished_at IS NULL) LIMIT %s {lock})",
                [PRUNED_AT_ONCE],
            )
            return int(cursor.rowcount)


class RunProgress(models.Model):
    """What one running run has said so far; of a run that has ended, its own row has all.

    In an emptied table ids begin anew: a row is of the run that was created at `run_created_at`."""

    run = models.OneToOneField(
        JobRun,
        primary_key=True,
        on_delete=models.DO_NOTHING,  # prune() deletes it: nothing waits for a locked row of these
        db_constraint=False,
        related_name="live",
    )
    run_created_at = models.DateTimeField()
    at = models.DateTimeField()
    log = models.TextField(blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    progress = models.JSONField(null=True, blank=True)

    objects = RunProgressQuerySet.as_manager()

    class Meta:
        base_manager_name = "objects"

    def __str__(self) -> str:
        return f"progress of run {self.run_id}"
