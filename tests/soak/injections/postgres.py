"""Faults of a PostgreSQL server, and of the people who work on it."""

import os
import random
import signal
from contextlib import suppress

import psycopg
from psycopg import sql

from tests.soak.injections.registry import injection
from tests.soak.stage import Stage

MODES = ("SHARE", "SHARE ROW EXCLUSIVE", "EXCLUSIVE", "ACCESS EXCLUSIVE")
ALL = 1_000_000
TIMETABLE = "django_apscheduler_djangojob"
OTHERS = "datname = current_database() AND pid <> pg_backend_pid() AND application_name <> 'soak'"


@injection("postgres", weight=4)
def lock_rows(stage: Stage, draw: random.Random) -> None:
    """SELECT ... FOR UPDATE of one row, some, or all of a table, and think about it."""
    table = draw.choice(stage.store.tables())
    rows = draw.choice([1, 1, 10, ALL])
    is_all_due = (table, rows) == (TIMETABLE, ALL)  # a claim takes the job's row of the timetable
    query = sql.SQL("SELECT 1 FROM {} ORDER BY {} LIMIT {} FOR UPDATE").format(
        sql.Identifier(table),
        sql.SQL(draw.choice(["random()", "1", "ctid DESC"])),
        sql.Literal(rows),
    )
    category = "outage" if is_all_due else "block"
    _hold_locks(stage, draw, ("lock rows", category, f"{rows} of {table}"), query)


@injection("postgres", weight=2)
def lock_active_runs(stage: Stage, draw: random.Random) -> None:
    """Lock the rows of runs that have not ended."""
    query = sql.SQL(
        "SELECT 1 FROM scheduler_app_jobrun WHERE finished_at IS NULL "
        "ORDER BY random() LIMIT {} FOR UPDATE"
    ).format(sql.Literal(draw.choice([1, 5, 1000])))
    _hold_locks(stage, draw, ("lock rows", "block", "active runs"), query)


@injection("postgres", weight=4)
def lock_table(stage: Stage, draw: random.Random) -> None:
    """LOCK TABLE, as a migration does."""
    table, mode = draw.choice(stage.store.tables()), draw.choice(MODES)
    query = sql.SQL("LOCK TABLE {} IN {} MODE").format(sql.Identifier(table), sql.SQL(mode))
    _hold_locks(stage, draw, ("lock table", "outage", f"{table} {mode}"), query)


def _hold_locks(
    stage: Stage, draw: random.Random, fault: tuple[str, str, str], query: sql.Composed
) -> None:
    with (
        stage.timeline.during(*fault) as noted,
        suppress(psycopg.OperationalError),  # another fault has ended the session
        stage.store.connect() as connection,
        connection.transaction(force_rollback=True),
    ):
        try:
            connection.execute(query)
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            noted.name += " (not obtained)"
            return
        stage.hold(draw)


@injection("postgres", weight=2)
def terminate_backends(stage: Stage, draw: random.Random) -> None:
    """pg_terminate_backend of one session, or of all."""
    how_many = draw.choice([1, 3, 1000])
    with suppress(psycopg.OperationalError):
        _terminate(stage, how_many)
        stage.timeline.moment("terminate backends", "outage", str(how_many))


def _terminate(stage: Stage, how_many: int) -> None:
    stage.store.execute(
        "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity "
        f"WHERE {OTHERS} ORDER BY random() LIMIT {how_many}) AS victims"
    )


@injection("postgres")
def terminate_backends_while_logs_fail(stage: Stage, draw: random.Random) -> None:
    """The log service is away, and all connections break."""
    with stage.timeline.during("log handler raises", "outage", "all"):
        stage.logs_fail.touch()
        with suppress(psycopg.OperationalError):
            _terminate(stage, 1000)
        stage.hold(draw, 10)
        stage.logs_fail.unlink()


@injection("postgres", weight=2)
def statement_timeout(stage: Stage, draw: random.Random) -> None:
    """The database ends each statement that takes longer than some milliseconds."""
    name = sql.Identifier(stage.store.url.rsplit("/", 1)[1])
    limit = draw.choice([1, 5, 50])
    with stage.timeline.during("statement timeout", "outage", f"{limit} ms"):
        setting = sql.SQL("ALTER DATABASE {} SET statement_timeout = {}")
        _alter(stage, setting.format(name, sql.Literal(limit)))
        stage.hold(draw, 20)
        _alter(stage, sql.SQL("ALTER DATABASE {} RESET statement_timeout").format(name))


def _alter(stage: Stage, setting: sql.Composed) -> None:
    """Sessions live by the settings of their beginning: end them all."""
    for _ in range(50):
        with suppress(psycopg.OperationalError), stage.store.connect() as connection:
            connection.execute(setting)
            _terminate(stage, 1000)
            return
        stage.over.wait(0.5)


@injection("postgres")
def read_only(stage: Stage, draw: random.Random) -> None:
    """The database takes no writes, as a standby does."""
    name = sql.Identifier(stage.store.url.rsplit("/", 1)[1])
    with stage.timeline.during("read only", "outage", "database"):
        setting = sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on")
        _alter(stage, setting.format(name))
        stage.hold(draw, 20)
        reset = sql.SQL("ALTER DATABASE {} RESET default_transaction_read_only")
        _alter(stage, reset.format(name))


@injection("postgres", needs_server=True)
def freeze_backend(stage: Stage, draw: random.Random) -> None:
    """A session of a node stands still on the server, with the locks that it has."""
    query = f"SELECT pid FROM pg_stat_activity WHERE {OTHERS} ORDER BY random() LIMIT 1"
    with suppress(psycopg.OperationalError, ProcessLookupError):
        for (pid,) in stage.store.execute(query):
            with stage.timeline.during("freeze backend", "block", str(pid)):
                os.kill(pid, signal.SIGSTOP)
                try:
                    stage.hold(draw, 20)
                finally:
                    os.kill(pid, signal.SIGCONT)


@injection("postgres", needs_server=True)
def restart_server(stage: Stage, draw: random.Random) -> None:
    """The server goes down, in order or not, and comes back."""
    assert stage.server is not None
    mode = draw.choice(["fast", "immediate"])
    with stage.timeline.during("restart server", "outage", mode):
        stage.server.stop(mode)
        stage.hold(draw, 15)
        stage.server.revive()
