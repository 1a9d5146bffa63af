"""CRONJOBS of django-crontab."""

import pytest
from pytest_django import Settings

from scheduler_app.command import Command
from tests.importers.conftest import TASKS, Import

CRONJOBS = [
    ("*/5 * * * *", f"{TASKS}.send"),
    ("0 4 * * *", f"{TASKS}.send", ["daily"], {"dry": True}, ">> /var/log/cron.log"),
    ("0 5 * * *", "django.core.management.call_command", ["check", "--tag", "models"]),
    ("0 6 * * *", "django.core.management.call_command", ["check"], {"verbosity": 0}),
    ("@daily", f"{TASKS}.tell", ">> /dev/null"),
]


def test_every_entry_is_a_job(imported: Import, settings: Settings) -> None:
    settings.CRONJOBS = CRONJOBS
    found = imported("django-crontab")
    assert found.problems == ""
    assert list(found.jobs) == ["send", "send-2", "check", "check-2", "tell"]
    assert found.text("send-2") == "0 4 * * *"
    assert (
        "job(cron='0 4 * * *', args=['daily'], kwargs={'dry': True}, name='send-2')"
        f"({TASKS}.send)" in found.code
    )
    assert "Its output is kept with the run, not in a file." in found.comment("send-2")
    command = found.jobs["check"].function
    assert isinstance(command, Command)
    assert command.line == "manage.py check --tag models"
    assert (
        "command_job('check', cron='0 6 * * *', name='check-2', options={'verbosity': 0})"
        in found.code
    )


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (("0 3 * * *", f"{TASKS}.gone"), "gone cannot be imported: ImportError"),
        (("0 3 * * *", f"{TASKS}.CONSTANT"), "CONSTANT is not callable"),
        (("0 3 * * *", "send"), "'send' is no path of a function, such as 'app.tasks.send'"),
        (
            ("0 3 * * *", f"{TASKS}.tell", [1]),
            "args or kwargs give tests.importers.tasks.tell its context",
        ),
        (("61 * * * *", f"{TASKS}.send"), "Bad minute field '61'"),
        ("0 3 * * *", "it is no pair of a schedule and a function"),
        (5, "it is no pair of a schedule and a function"),
    ],
)
def test_entry_that_cannot_be_translated_is_told(
    imported: Import, settings: Settings, entry: object, why: str
) -> None:
    settings.CRONJOBS = [entry, ("0 4 * * *", f"{TASKS}.clean")]
    found = imported("django-crontab")
    assert why in found.problems
    assert list(found.jobs) == ["clean"]
