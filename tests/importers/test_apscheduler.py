"""Jobs of a project's own scheduler on django-apscheduler."""

import pickle
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from apscheduler.triggers import combining
from django_apscheduler.models import DjangoJob

from tests.importers import tasks
from tests.importers.conftest import Import
from tests.theirs import StillScheduler

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def scheduler(db: None) -> StillScheduler:
    return StillScheduler(timezone=BERLIN)


@pytest.mark.parametrize(
    ("kind", "options", "text"),
    [
        ("cron", {"hour": 3, "minute": 30}, "30 3 * * *"),
        ("cron", {"second": "*/10"}, "*/10 * * * * *"),
        ("cron", {"day_of_week": 5, "hour": 3}, "0 3 * * SAT"),
        ("cron", {"day_of_week": "mon-fri", "hour": "8-18"}, "0 8-18 * * MON-FRI"),
        (
            "cron",
            {"day": 13, "day_of_week": "fri", "hour": 3},
            "0 3 13 * * except MON,TUE,WED,THU,SAT,SUN",
        ),
        ("cron", {"month": "1,7", "day": 1}, "0 0 1 JAN,JUL *"),
        (
            "interval",
            {"minutes": 5, "start_date": "2026-03-01 12:01:00"},
            "@every 5m anchor 2026-03-01T11:01:00Z",
        ),
        ("date", {"run_date": datetime(2100, 1, 1, tzinfo=UTC)}, "@at 2100-01-01T00:00:00Z"),
    ],
)
def test_trigger(
    imported: Import, scheduler: StillScheduler, kind: str, options: dict[str, Any], text: str
) -> None:
    scheduler.add_job(tasks.send, kind, id="it", args=["a"], kwargs={"b": 1}, **options)
    found = imported("django-apscheduler")
    assert found.problems == ""
    assert found.text("it") == text
    assert "args=['a'], kwargs={'b': 1}" in found.code


def test_zone_jitter_end_and_overlap_are_kept(imported: Import, scheduler: StillScheduler) -> None:
    scheduler.add_job(
        tasks.send, "cron", id="it", hour=3, jitter=60, max_instances=3,
        timezone=ZoneInfo("Asia/Tokyo"), end_date=datetime(2100, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    found = imported("django-apscheduler")
    schedule = found.jobs["it"].schedule
    assert (schedule.timezone, schedule.jitter) == ("Asia/Tokyo", 60)
    assert schedule.expression == "0 3 * * * end 2100-01-01T00:00:00Z"
    assert found.jobs["it"].policies.overlap == "allow"


def test_five_is_saturday_and_no_fire_differs(imported: Import, scheduler: StillScheduler) -> None:
    scheduler.add_job(tasks.send, "cron", id="it", day_of_week=5, hour=12)
    comment = imported("django-apscheduler").comment("it")
    assert "fires at" not in comment


def test_what_is_skipped_in_spring_differs(imported: Import, scheduler: StillScheduler) -> None:
    scheduler.add_job(tasks.send, "cron", id="it", hour=2, minute=30)
    comment = imported("django-apscheduler").comment("it")
    assert "Here alone it fires at 2026-03-29 03:00:00 CEST" in comment


def test_paused_job_is_a_comment(imported: Import, scheduler: StillScheduler) -> None:
    scheduler.add_job(tasks.send, "cron", id="it", hour=2).pause()
    found = imported("django-apscheduler")
    assert found.jobs == {}
    assert "It is disabled there:" in found.code


def test_job_that_cannot_be_translated_is_told(imported: Import, scheduler: StillScheduler) -> None:
    scheduler.add_job(tasks.send, "cron", id="year", year=2030)
    scheduler.add_job(tasks.send, "cron", id="last", day="last")
    scheduler.add_job(tasks.send, "interval", id="half", seconds=0.5)
    scheduler.add_job(tasks.send, "cron", id="path", hour=1, args=[Path("/tmp")])
    found = imported("django-apscheduler")
    assert found.problems.startswith("4 could not be translated:\n")
    assert "year: " in found.problems
    assert "has year='2030'" in found.problems
    assert "has day='last': write it by hand" in found.problems
    assert "0.5 s is no whole number of seconds" in found.problems
    assert "it has a pathlib.PosixPath, which is not read" in found.problems


class Evil:
    def __reduce__(self) -> Any:
        return exec, ("raise SystemExit",)


class Roundabout:
    """Reaches a function through a module of triggers that imports one."""

    def __reduce__(self) -> Any:
        return combining.ref_to_obj, ("os:getcwd",)


def test_no_function_of_a_module_of_triggers_is_called(db: None, imported: Import) -> None:
    state = pickle.dumps(Roundabout(), 0).replace(
        b"capscheduler.util\n", b"capscheduler.triggers.combining\n"
    )
    later = datetime.now(UTC) + timedelta(days=1)
    DjangoJob.objects.create(id="evil", job_state=state, next_run_time=later)
    found = imported("django-apscheduler")
    assert "it has a apscheduler.triggers.combining.ref_to_obj, which is not read" in found.problems


def test_nothing_of_a_pickle_is_carried_out(db: None, imported: Import) -> None:
    DjangoJob.objects.create(
        id="evil",
        job_state=pickle.dumps(Evil()),
        next_run_time=datetime.now(UTC) + timedelta(days=1),
    )
    DjangoJob.objects.create(id="torn", job_state=b"\x80")
    found = imported("django-apscheduler")
    assert "evil: it cannot be read: UnpicklingError('it has a builtins.exec" in found.problems
    assert "torn: it cannot be read: " in found.problems
