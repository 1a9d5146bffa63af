"""A long history, written by the database itself: copies of a run that was really made."""

from benchmarks.databases import Database

DAYS = 30


def write(database: Database, runs: int, deep: int, wide: int) -> None:
    """Add so many finished runs, spread evenly over the last days: half of them of the `deep` jobs
    no-op-0, no-op-1..., half of the `wide` jobs rest-0, rest-1... The database must hold a run that
    this scheduler has finished."""
    names = (
        f"CASE n % 2 WHEN 0 THEN 'no-op-' || CAST(n / 2 % {deep} AS text) "
        f"ELSE 'rest-' || CAST(n / 2 % {wide} AS text) END"
    )
    if database.url.startswith("sqlite"):
        database.rows(_sqlite(database, runs, names))
    else:
        database.rows(_postgres(database, runs, names))
        database.rows("VACUUM ANALYZE scheduler_app_jobrun")  # as autovacuum does within a minute


def _sqlite(database: Database, runs: int, names: str) -> str:
    columns = [row[1] for row in database.rows("PRAGMA table_info(scheduler_app_jobrun)")]
    at = (
        "strftime('%Y-%m-%d %H:%M:%f000', 'now', "
        f"(-1.0 * {DAYS * 86400} * ({runs} - n + 1) / {runs}) || ' seconds')"
    )
    numbers = f"SELECT 1 AS n UNION ALL SELECT n + 1 FROM numbers WHERE n < {runs}"
    return (
        f"WITH RECURSIVE numbers(n) AS ({numbers}) "
        f"{_copies(columns, at, names)} (SELECT n FROM numbers) AS numbers"
    )


def _postgres(database: Database, runs: int, names: str) -> str:
    columns = database.rows(
        "SELECT column_name FROM information_schema.columns "
        "WHERE table_name = 'scheduler_app_jobrun' AND is_identity = 'NO'"
    )
    at = f"now() - interval '{DAYS} days' * ({runs} - n + 1) / {runs}"
    return (
        f"{_copies([row[0] for row in columns], at, names)} "
        f"generate_series(1, {runs}) AS numbers(n)"
    )


def _copies(columns: list[str], at: str, name: str) -> str:
    """INSERT of the newest success once for each n of the table that is to follow."""
    moments = ("scheduled_for", "due_at", "created_at", "started_at", "finished_at")
    values = dict.fromkeys(moments, at) | {"job_name": name}
    copied = [column for column in columns if column != "id"]
    selected = ", ".join(values.get(column, f"run.{column}") for column in copied)
    newest = "(SELECT * FROM scheduler_app_jobrun WHERE state = 'success' ORDER BY id DESC LIMIT 1)"
    return (
        f"INSERT INTO scheduler_app_jobrun ({', '.join(copied)}) "
        f"SELECT {selected} FROM {newest} AS run CROSS JOIN"
    )
