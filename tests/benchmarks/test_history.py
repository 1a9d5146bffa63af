from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from benchmarks import history
from benchmarks.databases import Database, PostgresDatabase, SQLiteDatabase, moment
from scheduler_app.models import JobRun, RunState


@pytest.fixture
def database(transactional_db: None) -> Database:
    settings = connection.settings_dict
    if connection.vendor == "sqlite":
        return SQLiteDatabase(f"sqlite:///{Path(settings['NAME']).resolve()}")
    return PostgresDatabase("postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**settings))


def test_history_is_copied_from_a_real_run_and_spread_over_jobs_and_days(
    database: Database,
) -> None:
    now = timezone.now()
    JobRun.objects.create(
        job_name="no-op-0", scheduled_for=now, due_at=now, started_at=now, finished_at=now,
        state=RunState.SUCCESS, log="as it was",
    )  # fmt: skip
    history.write(database, 1_000, deep=10, wide=100)
    assert JobRun.objects.filter(state=RunState.SUCCESS, log="as it was").count() == 1_001
    assert JobRun.objects.filter(job_name="no-op-3").count() == 50
    assert JobRun.objects.filter(job_name="rest-3").count() == 5
    oldest = JobRun.objects.earliest("scheduled_for").scheduled_for
    assert timedelta(days=29.9) < now - oldest < timedelta(days=30.1)


def test_moment_is_the_same_for_text_and_for_a_datetime(database: Database) -> None:
    now = timezone.now()
    JobRun.objects.create(job_name="no-op-0", scheduled_for=now, due_at=now)
    ((due_at,),) = database.rows("SELECT due_at FROM scheduler_app_jobrun")
    assert moment(due_at) == now.timestamp()
