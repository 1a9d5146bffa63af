"""Rows that somebody deletes or spoils by hand."""

import random
import sqlite3
from contextlib import suppress

import psycopg

from tests.soak.declared import BY_NAME, HOSTILE
from tests.soak.injections.registry import injection
from tests.soak.stage import TIMETABLE, Stage

JOBS = sorted(set(BY_NAME) - set(HOSTILE.values()))
GARBAGE = {
    "cron": ["not a cron", "61 * * * *", "", "0 0 31 2 *", "* * * * * * * *"],
    "timezone": ["Mars/Olympus", "", "US/Gone", "../etc/passwd"],
}
REFUSED = (psycopg.Error, sqlite3.Error)
"""What the database may say when another fault is in force: then there is no fault here."""


@injection(weight=2)
def delete_timetable_row(stage: Stage, draw: random.Random) -> None:
    """The row that tells when a job is due next is gone."""
    name = draw.choice(JOBS)
    with suppress(*REFUSED):
        stage.store.execute(f"DELETE FROM {TIMETABLE} WHERE id = %s", f"scheduler_app:{name}")
        stage.timeline.moment("delete timetable row", "rows", name)


@injection()
def delete_timetable(stage: Stage, draw: random.Random) -> None:
    """The whole timetable is gone."""
    with suppress(*REFUSED):
        stage.store.execute(f"DELETE FROM {TIMETABLE}")
        stage.timeline.moment("delete timetable", "rows", "all jobs")


@injection(weight=2)
def delete_job_row(stage: Stage, draw: random.Random) -> None:
    """A job's row is gone, with its switches and counters."""
    name = draw.choice(JOBS)
    with suppress(*REFUSED):
        stage.store.execute("DELETE FROM scheduler_app_job WHERE name = %s", name)
        stage.timeline.moment("delete job row", "spoil", name)


@injection()
def delete_period_rows(stage: Stage, draw: random.Random) -> None:
    """Which schedules held when is forgotten."""
    name = draw.choice(JOBS)
    with suppress(*REFUSED):
        stage.store.execute("DELETE FROM scheduler_app_scheduleperiod WHERE job_name = %s", name)
        stage.timeline.moment("delete period rows", "rows", name)


@injection(weight=2)
def delete_node_row(stage: Stage, draw: random.Random) -> None:
    """A scheduler's row is gone, as after a delete in a shell: what refers to it forgets it."""
    with suppress(*REFUSED):
        nodes = stage.store.execute("SELECT id FROM scheduler_app_node WHERE stopped_at IS NULL")
        for (node,) in draw.sample(nodes, min(1, len(nodes))):
            for table, column, nullable in stage.store.references("scheduler_app_node"):
                forget = f"UPDATE {table} SET {column} = NULL"
                change = forget if nullable else f"DELETE FROM {table}"
                stage.store.execute(f"{change} WHERE {column} = %s", node)
            stage.store.execute("DELETE FROM scheduler_app_node WHERE id = %s", node)
            stage.timeline.moment("delete node row", "rows", str(node))


@injection(weight=3)
def spoil_job_row(stage: Stage, draw: random.Random) -> None:
    """The expression or zone of a job cannot be computed, until it is mended."""
    name = draw.choice(JOBS)
    column = draw.choice(sorted(GARBAGE))
    _spoil(stage, draw, "scheduler_app_job", "name", name, column)


@injection(weight=2)
def spoil_period_row(stage: Stage, draw: random.Random) -> None:
    """What schedule holds cannot be computed, until it is mended."""
    name = draw.choice(JOBS)
    column = draw.choice(sorted(GARBAGE))
    _spoil(stage, draw, "scheduler_app_scheduleperiod", "job_name", name, column)


def _spoil(stage: Stage, draw: random.Random, table: str, key: str, name: str, column: str) -> None:
    bad, good = draw.choice(GARBAGE[column]), getattr(BY_NAME[name], column)
    change = f"UPDATE {table} SET {column} = %s WHERE {key} = %s AND {column} = %s"
    with suppress(*REFUSED):
        stage.store.execute(change, bad, name, good)
        with stage.timeline.during(f"spoil {table}.{column}", "spoil", name):
            stage.hold(draw, 20)
            _mend(stage, change, good, name, bad)


def _mend(stage: Stage, change: str, *values: str) -> None:
    for _ in range(120):
        with suppress(*REFUSED):
            stage.store.execute(change, *values)
            return
        stage.over.wait(0.5)
