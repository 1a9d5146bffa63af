"""A long history, written by the database itself: copies of a run that was really made."""

from benchmarks.databases import Database

DAYS = 30


def write(database: Database, runs: int, jobs: int) -> None:
    """Add so many finished runs of the jobs rest-0, rest-1..., spread evenly over them and over
    the last days. The database must hold a finished run of this scheduler's."""
    if database.url.startswith("sqlite"):
        insert = _sqlite(database, runs, jobs)
    else:
        insert = _postgres(database, runs, jobs)
    database.rows(insert)
    if not database.url.startswith("sqlite"):
        database.rows("VACUUM ANALYZE scheduler_app_jobrun")  # as autovacuum does within a minute


def _sqlite(database: Database, runs: int, jobs: int) -> str:
    columns = [row[1] for row in database.rows("PRAGMA table_info(scheduler_app_jobrun)")]
    at = (
        "strftime('%Y-%m-%d %H:%M:%f000', 'now', "
        f"(-1.0 * {DAYS * 86400} * ({runs} - n + 1) / {runs}) || ' seconds')"
    )
    numbers = f"SELECT 1 AS n UNION ALL SELECT n + 1 FROM numbers WHERE n < {runs}"
    return (
        f"WITH RECURSIVE numbers(n) AS ({numbers}) "
        f"{_copies(columns, at, f'(n % {jobs})')} (SELECT n FROM numbers) AS numbers"
    )


def _postgres(database: Database, runs: int, jobs: int) -> str:
    columns = database.rows(
        "SELECT column_name FROM information_schema.columns "
        "WHERE table_name = 'scheduler_app_jobrun' AND is_identity = 'NO'"
    )
    at = f"now() - interval '{DAYS} days' * ({runs} - n + 1) / {runs}"
    return (
        f"{_copies([row[0] for row in columns], at, f'(n % {jobs})::text')} "
        f"generate_series(1, {runs}) AS numbers(n)"
    )


def _copies(columns: list[str], at: str, number: str) -> str:
    """INSERT of the newest success once for each n of the table that is to follow."""
    moments = ("scheduled_for", "due_at", "created_at", "started_at", "finished_at")
    values = dict.fromkeys(moments, at) | {"job_name": f"'rest-' || {number}"}
    copied = [column for column in columns if column != "id"]
    selected = ", ".join(values.get(column, f"run.{column}") for column in copied)
    newest = "(SELECT * FROM scheduler_app_jobrun WHERE state = 'success' ORDER BY id DESC LIMIT 1)"
    return (
        f"INSERT INTO scheduler_app_jobrun ({', '.join(copied)}) "
        f"SELECT {selected} FROM {newest} AS run CROSS JOIN"
    )
