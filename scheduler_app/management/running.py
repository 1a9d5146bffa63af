"""Commands that want a project in which a scheduler can run."""

import os
import sys
from typing import Any

from django.core.management.base import BaseCommand

from scheduler_app.checks import RUNNING

FORK_HANDLERS = "GRPC_ENABLE_FORK_SUPPORT"


def leave_forks_alone() -> None:
    """Switch gRPC's fork handlers off, unless the environment says otherwise. They halt its threads
    before each fork, and while calls come in that may hang for ever, with the interpreter lock
    held, or abort the child. gRPC reads the environment when it is imported: if a module has
    imported it already, execute this program again."""
    if FORK_HANDLERS not in os.environ:
        os.environ[FORK_HANDLERS] = "0"
        if "grpc" in sys.modules:
            os.execv(sys.executable, sys.orig_argv)  # noqa: S606


class RunningCommand(BaseCommand):
    """Checks what concerns only those who run a scheduler, too."""

    def check(self, *args: Any, **kwargs: Any) -> None:
        super().check(*args, **kwargs)
        super().check(tags=[RUNNING], include_deployment_checks=True)
