"""Rows whose schedule cannot be computed, as tzdata, another release or a hand leaves them."""

from typing import Any

from django.db import connection

from scheduler_app.models import Job, SchedulePeriod

SPOILT: dict[str, dict[str, Any]] = {
    "zone": {"timezone": "US/Atlantis"},
    "expression": {"cron": "61 * * * *"},
    "both": {"timezone": "US/Atlantis", "cron": "61 * * * *"},
    "empty zone": {"timezone": ""},
    "empty expression": {"cron": ""},
    "control characters": {"cron": "* * * * \x1b[2J", "timezone": "UTC\x07"},
    "refused since": {"cron": "*/90 * * * *"},
    "path": {"timezone": "../../etc/passwd"},
}
SQLITE_ONLY: dict[str, dict[str, Any]] = {
    "jitter": {"jitter": 2**62},
    "too long": {"cron": "1," * 1_000 + "1 * * * *"},
    "NUL": {"timezone": "U\0TC"},
}
"""What PostgreSQL's columns do not take."""
if connection.vendor == "sqlite":
    SPOILT |= SQLITE_ONLY
PLACES = ("job", "open period", "job and open period")


def spoil(name: str, how: str, place: str = "job and open period") -> None:
    if "job" in place:
        assert Job.objects.filter(name=name).update(**SPOILT[how])
    if "period" in place:
        assert SchedulePeriod.objects.open().filter(job_name=name).update(**SPOILT[how])
