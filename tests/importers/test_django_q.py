"""Schedules of django-q2. What croniter does was read from croniter 7.0.0."""

from typing import Any

import pytest
from django.db import connection
from pytest_django import Settings

from tests.importers.conftest import TASKS, Import

COLUMNS = {
    **dict.fromkeys(("name", "func", "hook", "args", "kwargs", "schedule_type", "cron"), "text"),
    **dict.fromkeys(("minutes", "repeats"), "integer"),
    "next_run": "timestamp with time zone",
}


@pytest.fixture(autouse=True)
def table(db: None, settings: Settings) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    with connection.cursor() as cursor:
        columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
        cursor.execute(f"CREATE TABLE django_q_schedule (id integer PRIMARY KEY, {columns})")


def schedule(name: str, kind: str, **values: Any) -> None:
    row: dict[str, Any] = {
        "name": name, "func": f"{TASKS}.send", "schedule_type": kind, "repeats": -1,
        "next_run": "2026-03-02 05:30:00+00:00",
    } | values  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM django_q_schedule")
        row["id"] = cursor.fetchone()[0]
        marks = ", ".join(["%s"] * len(row))
        statement = f"INSERT INTO django_q_schedule ({', '.join(row)}) VALUES ({marks})"
        cursor.execute(statement, list(row.values()))


@pytest.mark.parametrize(
    ("kind", "values", "text"),
    [
        ("O", {}, "@at 2026-03-02T05:30:00Z"),
        ("I", {"minutes": 20}, "@every 20m anchor 2026-03-02T05:30:00Z"),
        ("H", {}, "@every 1h anchor 2026-03-02T05:30:00Z"),
        ("D", {}, "30 6 * * *"),
        ("W", {}, "30 6 * * MON"),
        ("BW", {}, "@every 14d anchor 2026-03-02T05:30:00Z"),
        ("M", {}, "30 6 2 * *"),
        ("BM", {}, "30 6 2 1,3,5,7,9,11 *"),
        ("Q", {}, "30 6 2 3,6,9,12 *"),
        ("Y", {}, "30 6 2 3 *"),
        ("C", {"cron": "0 3 * * 1-5"}, "0 3 * * 1-5"),
        ("C", {"cron": "0 3 * * * 30"}, "30 0 3 * * *"),
        ("C", {"cron": "0 3 */2 * FRI"}, "0 3 1-31/2 * FRI"),
    ],
)
def test_schedule(imported: Import, kind: str, values: dict[str, Any], text: str) -> None:
    schedule("it", kind, **values)
    found = imported("django-q2")
    assert found.problems == ""
    assert found.text("it") == text
    assert found.jobs["it"].schedule.timezone == "Europe/Berlin"


@pytest.mark.parametrize(
    ("args", "kwargs", "code"),
    [
        ("1, 'a'", "x=1, y='b'", "args=[1, 'a'], kwargs={'x': 1, 'y': 'b'}"),
        ("'a'", "{'x': None}", "args=['a'], kwargs={'x': None}"),
        ("(1,)", "", "args=[1]"),
    ],
)
def test_arguments(imported: Import, args: str, kwargs: str, code: str) -> None:
    schedule("it", "D", args=args, kwargs=kwargs)
    assert code in imported("django-q2").code


def test_cron_that_autumn_repeats_differs(imported: Import) -> None:
    schedule("night", "C", cron="30 2 * * *")
    comment = imported("django-q2").comment("night")
    assert "There alone it fires at 2026-10-25 02:30:00 CET." in comment
    assert "Here alone" not in comment


def test_what_is_otherwise_is_noted(imported: Import) -> None:
    schedule("some", "D", repeats=3, hook="app.hook")
    comment = imported("django-q2").comment("some")
    assert "There it is repeated 3 more times; give it an end=." in comment
    assert "Its hook, app.hook, is not called here." in comment


def test_schedule_that_cannot_be_translated_is_told(imported: Import) -> None:
    schedule("last", "M", next_run="2026-03-31 05:30:00+00:00")
    schedule("year", "C", cron="0 3 * * * 0 2027")
    schedule("random", "C", cron="R 3 * * *")
    schedule("odd", "Z")
    schedule("code", "D", args="open('/etc/passwd')")
    schedule("never", "D", next_run=None)
    found = imported("django-q2")
    assert found.problems.startswith("6 could not be translated:\n")
    for why in (
        "last: day 31 is not in every month",
        "year: its expression has a field for the year",
        "random: Job 'random': Bad minute field 'R'",
        "odd: its type 'Z' is not known",
        "code: malformed node or string",
        "never: it has no next run",
    ):
        assert why in found.problems
