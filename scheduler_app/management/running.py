"""Commands that want a project in which a scheduler can run."""

from typing import Any

from django.core.management.base import BaseCommand

from scheduler_app.checks import RUNNING


class RunningCommand(BaseCommand):
    """Checks what concerns only those who run a scheduler, too."""

    def check(self, *args: Any, **kwargs: Any) -> None:
        super().check(*args, **kwargs)
        super().check(tags=[RUNNING], include_deployment_checks=True)
