"""Loggers for the engine's threads."""

import logging
import sys
import traceback
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any


class SafeLogger(logging.LoggerAdapter[logging.Logger]):
    """Logs like any other, and never raises: a handler that fails, its service being away, must not
    end a thread of the engine. What it raised goes to stderr."""

    def __init__(self, name: str) -> None:
        super().__init__(logging.getLogger(name), {})

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        """Keep the call's own extra fields; the adapter's would replace them."""
        return msg, kwargs

    def log(self, level: int, msg: object, *args: object, **options: Any) -> None:
        try:
            # The caller is two frames up: this method, and the adapter's warning() or the like.
            options["stacklevel"] = options.get("stacklevel", 1) + 1
            super().log(level, msg, *args, **options)
        except BaseException:
            with suppress(BaseException):
                print(f"could not log {msg!r}:", file=sys.stderr)
                traceback.print_exc()
