"""What is said in a project that has not installed django_apscheduler, whose table we share."""

from typing import Any

from django.core import checks
from django.core.checks import Error

TEXT = "scheduler_app needs django_apscheduler."
HINT = 'Add "django_apscheduler" to INSTALLED_APPS.'


def register() -> None:
    """Have Django run the check of this module, and no other of ours."""
    checks.register(check_apscheduler)


def check_apscheduler(**_: Any) -> list[Error]:
    """Report scheduler.E008: django_apscheduler is not installed."""
    return [Error(TEXT, hint=HINT, id="scheduler.E008")]
