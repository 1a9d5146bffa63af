"""Commands that want a project in which a scheduler can run."""

import os
import sys
from typing import Any

from django.core.management.base import BaseCommand

from scheduler_app.checks import RUNNING

FORK_HANDLERS = "GRPC_ENABLE_FORK_SUPPORT"


def leave_forks_alone() -> None:
    """Have gRPC do nothing when a job forks, unless the environment says that it should. By default
    it halts its threads before each fork, and while calls come in that may hang for ever, with the
    interpreter's lock, or abort the child. It asks the environment when it is imported: if that has
    happened already, this program starts anew."""
    if FORK_HANDLERS not in os.environ:
        os.environ[FORK_HANDLERS] = "0"
        if "grpc" in sys.modules:
            os.execv(sys.executable, sys.orig_argv)  # noqa: S606


class RunningCommand(BaseCommand):
    """Checks what concerns only those who run a scheduler, too."""

    def check(self, *args: Any, **kwargs: Any) -> None:
        super().check(*args, **kwargs)
        super().check(tags=[RUNNING], include_deployment_checks=True)
