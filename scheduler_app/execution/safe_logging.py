"""Log lines that must not end what writes them."""

import logging
from contextlib import suppress
from typing import Any


def log_safely(
    logger: logging.Logger,
    level: int,
    text: str,
    *args: object,
    exc_info: BaseException | None = None,
    extra: dict[str, Any] | None = None,
) -> None:
    """Log, whatever the handlers do. One may raise because the service that it sends to is away, or
    because the exception's own text raises; then the line is logged without the exception."""
    try:
        logger.log(level, text, *args, exc_info=exc_info, extra=extra)
    except BaseException:
        with suppress(BaseException):
            logger.log(level, text, *args, extra=extra)
