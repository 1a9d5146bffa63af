"""Commands that want a project in which a scheduler can run."""

import os
import sys
from contextlib import suppress
from typing import Any

from django.core.management.base import BaseCommand, OutputWrapper

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


class TolerantOutput(OutputWrapper):
    """Standard output or error of a scheduler: its reader may be gone, or the disk be full, which
    is no reason not to start, or to end."""

    def write(  # type: ignore[override]  # Django's returns nothing, the library's a number
        self, msg: str = "", style_func: Any = None, ending: str | None = None
    ) -> None:
        with suppress(OSError, ValueError):
            super().write(msg, style_func, ending)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            super().flush()
