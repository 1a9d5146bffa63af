"""A log handler whose service is away."""

import logging


class Away(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        raise ConnectionError("the log service is away")
