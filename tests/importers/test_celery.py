"""Periodic tasks of django-celery-beat. What Celery itself does was read from celery 5.7.0."""

from typing import Any

import pytest
from django.db import connection

from tests.importers.conftest import TASKS, Import

CRONTAB = ("minute", "hour", "day_of_week", "day_of_month", "month_of_year", "timezone")
TABLES = {
    "crontabschedule": dict.fromkeys(CRONTAB, "varchar(240)"),
    "intervalschedule": {"every": "integer", "period": "varchar(24)"},
    "clockedschedule": {"clocked_time": "timestamp with time zone"},
    "solarschedule": {"event": "varchar(24)", "latitude": "numeric", "longitude": "numeric"},
    "periodictask": {
        **dict.fromkeys(("name", "task", "args", "kwargs", "queue"), "text"),
        **dict.fromkeys(("expires", "start_time"), "timestamp with time zone"),
        **dict.fromkeys(("one_off", "enabled"), "boolean"),
        **dict.fromkeys(("crontab_id", "interval_id", "clocked_id", "solar_id"), "integer"),
    },
}


def insert(table: str, **values: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM django_celery_beat_{table}")
        count = int(cursor.fetchone()[0])
        values = {"id": count + 1} | values
        columns = ", ".join(values)
        marks = ", ".join(["%s"] * len(values))
        cursor.execute(
            f"INSERT INTO django_celery_beat_{table} ({columns}) VALUES ({marks})",
            [*values.values()],
        )
    return count + 1


@pytest.fixture(autouse=True)
def tables(db: None) -> None:
    with connection.cursor() as cursor:
        for table, columns in TABLES.items():
            rest = ", ".join(f"{name} {kind}" for name, kind in columns.items())
            cursor.execute(
                f"CREATE TABLE django_celery_beat_{table} (id integer PRIMARY KEY, {rest})"
            )


def task(name: str, **values: Any) -> None:
    defaults = {
        "task": f"{TASKS}.send",
        "args": "[]",
        "kwargs": "{}",
        "enabled": True,
        "one_off": False,
    }
    insert("periodictask", name=name, **(defaults | values))


def crontab(
    minute: str,
    hour: str = "*",
    day: str = "*",
    month: str = "*",
    weekday: str = "*",
    zone: str = "Europe/Berlin",
) -> int:
    return insert(
        "crontabschedule", minute=minute, hour=hour, day_of_month=day, month_of_year=month,
        day_of_week=weekday, timezone=zone,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (("0", "3"), "0 3 * * *"),
        (("*/15",), "*/15 * * * *"),
        (("0,15,30,45",), "*/15 * * * *"),
        (("0", "8-18/2", "*", "*", "1-5"), "0 8-18/2 * * MON-FRI"),
        (("0", "0", "*", "*", "fri-mon"), "0 0 * * SUN,MON,FRI,SAT"),
        (("0", "0", "1,15", "jan,jul"), "0 0 1,15 JAN,JUL *"),
        (("0", "22-2"), "0 0-2,22,23 * * *"),
        (("0", "0", "*/10"), "0 0 1-31/10 * *"),
        (("0", "3", "13", "*", "fri"), "0 3 13 * * except MON,TUE,WED,THU,SAT,SUN"),
    ],
)
def test_crontab(imported: Import, fields: tuple[str, ...], text: str) -> None:
    task("Send it", crontab_id=crontab(*fields), args='["a"]', kwargs='{"b": 1}')
    found = imported("django-celery-beat")
    assert found.problems == ""
    assert found.text("send-it") == text
    assert found.jobs["send-it"].schedule.timezone == "Europe/Berlin"
    assert "args=['a'], kwargs={'b': 1}" in found.code


def test_both_day_fields_must_match(imported: Import) -> None:
    task("unlucky", crontab_id=crontab("0", "3", "13", "*", "fri"))
    comment = imported("django-celery-beat").comment("unlucky")
    assert "Celery fires where day of month and day of week both match" in comment
    assert "fires at" not in comment


def test_time_in_the_gap_of_spring_differs(imported: Import) -> None:
    task("early", crontab_id=crontab("30", "2"))
    comment = imported("django-celery-beat").comment("early")
    assert "There alone it fires at 2026-03-29 03:30:00 CEST, 2027-03-28 03:30:00 CEST." in comment
    assert "Here alone it fires at 2026-03-29 03:00:00 CEST, 2027-03-28 03:00:00 CEST." in comment


def test_hour_that_autumn_repeats_differs(imported: Import) -> None:
    task("often", crontab_id=crontab("*/30"))
    task("nightly", crontab_id=crontab("0", "2"))
    found = imported("django-celery-beat")
    assert (
        "Here alone it fires at 2026-10-25 02:00:00 CET, 2026-10-25 02:30:00 CET."
        in found.comment("often")
    )
    assert "There alone" not in found.comment("often")
    assert "2026-10-25" not in found.comment("nightly")  # once, and once


def test_interval_is_a_fixed_grid(imported: Import) -> None:
    task("poll", interval_id=insert("intervalschedule", every=90, period="minutes"))
    found = imported("django-celery-beat")
    assert found.text("poll") == "@every 1h30m"
    assert "Celery counts from the last run" in found.comment("poll")


def test_clocked_task_and_limits(imported: Import) -> None:
    once = insert("clockedschedule", clocked_time="2026-12-24 18:00:00+00:00")
    task("once", clocked_id=once, one_off=True)
    task(
        "limited",
        crontab_id=crontab("0", "3"),
        start_time="2026-04-01 00:00:00+00:00",
        expires="2026-05-01 00:00:00+00:00",
    )
    found = imported("django-celery-beat")
    assert found.text("once") == "@at 2026-12-24T18:00:00Z"
    assert found.text("limited") == "0 3 * * * start 2026-04-01T00:00:00Z end 2026-05-01T00:00:00Z"


def test_disabled_task_is_a_comment(imported: Import) -> None:
    task("off", crontab_id=crontab("0", "3"), enabled=False)
    found = imported("django-celery-beat")
    assert found.problems == ""
    assert found.jobs == {}
    assert "It is disabled there: job(cron='0 3 * * *'" in found.comment("off")


def test_cleanup_of_celery_is_left_out(imported: Import) -> None:
    task("celery.backend_cleanup", task="celery.backend_cleanup", crontab_id=crontab("0", "4"))
    assert imported("django-celery-beat").jobs == {}


def test_task_that_cannot_be_translated_is_told(imported: Import) -> None:
    task("sun", solar_id=insert("solarschedule", event="sunset", latitude=52.5, longitude=13.4))
    task("fast", interval_id=insert("intervalschedule", every=5, period="microseconds"))
    task("named", task="send-mail", crontab_id=crontab("0", "3"))
    task("odd", args="{", crontab_id=crontab("0", "3"))
    task("wrong", crontab_id=crontab("0", "25"))
    task("one off", one_off=True, crontab_id=crontab("0", "3"))
    task("none")
    task("fine", crontab_id=crontab("0", "3"))
    found = imported("django-celery-beat")
    assert found.problems.startswith("7 could not be translated:\n")
    for why in (
        "sun: its schedule follows the sun (sunset)",
        "fast: an interval of microseconds is too short",
        "named: 'send-mail' is no path of a function",
        "odd: ",
        "wrong: hour '25' is not from 0 to 23",
        "one off: it fires once",
        "none: it has no schedule",
    ):
        assert why in found.problems
    assert list(found.jobs) == ["fine"]
