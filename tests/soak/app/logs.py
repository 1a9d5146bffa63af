"""A log handler whose service may be away."""

import logging
import os
from pathlib import Path


class FlakyHandler(logging.Handler):
    """Raises while the file exists that SOAK_LOGS_FAIL names, as handlers of services do."""

    def emit(self, record: logging.LogRecord) -> None:
        path = os.environ.get("SOAK_LOGS_FAIL")
        if path and record.levelno >= logging.WARNING and Path(path).exists():
            raise ConnectionError("the log service is away")
