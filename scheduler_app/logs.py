"""Loggers for the engine's threads.

The project's handlers are other people's code: they may raise, be slow, or never return. While a
scheduler runs in this process, `writer` calls them in a thread of its own."""

import logging
import os
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any

LIMIT = 1_000
"""How many records may wait for handlers. What comes then is only counted."""


class LogWriter:
    """Passes records to their loggers: at once, or from its thread between start() and stop()."""

    def __init__(self) -> None:
        self._forget()
        os.register_at_fork(after_in_child=self._forget)  # the child has no such thread

    def _forget(self) -> None:
        self._condition = threading.Condition()
        self._waiting: deque[tuple[logging.Logger, logging.LogRecord]] = deque()
        self._dropped = 0
        self._users = 0
        self.thread: threading.Thread | None = None
        self._busy_since: float | None = None
        """When the record that is with the handlers now was passed to them."""

    @property
    def hangs_for(self) -> float:
        """For how many seconds a handler has not returned; 0 if none is at work."""
        since = self._busy_since
        return 0.0 if since is None else time.monotonic() - since

    def start(self) -> None:
        """Use the thread from now on. Each call needs a stop() of its own. Raises RuntimeError, and
        changes nothing, if the thread cannot start."""
        with self._condition:
            if self.thread is None:
                thread = threading.Thread(target=self._loop, name="scheduler-log", daemon=True)
                thread.start()  # waits for the lock held here
                self.thread = thread
            self._users += 1

    def stop(self, timeout: float) -> None:
        """End the thread, once its last user stops and all is written. If that takes longer than
        `timeout` seconds, the thread does so later."""
        with self._condition:
            self._users -= 1
            thread = self.thread
            self._condition.notify_all()
        if thread and not self._users:
            thread.join(timeout)

    def flush(self, timeout: float) -> None:
        """Wait until all is written, for `timeout` seconds at most."""
        with self._condition:
            self._condition.wait_for(self._has_written_all, timeout)

    def write(self, logger: logging.Logger, record: logging.LogRecord) -> None:
        with self._condition:
            if self.thread:
                if len(self._waiting) < LIMIT:
                    self._waiting.append((logger, record))
                else:
                    self._dropped += 1
                self._condition.notify_all()
                return
        _handle(logger, record)

    def _has_written_all(self) -> bool:
        return not self._waiting and self._busy_since is None

    def _loop(self) -> None:
        while True:
            with self._condition:
                self._busy_since = None
                self._condition.notify_all()
                self._condition.wait_for(lambda: self._waiting or not self._users)
                if not self._waiting:
                    self.thread = None
                    return
                logger, record = self._waiting.popleft()
                dropped, self._dropped = self._dropped, 0
                self._busy_since = time.monotonic()
            if dropped:
                own = logging.getLogger(__name__)
                text = "log handlers were too slow: %d records are left out"
                _handle(own, own.makeRecord(own.name, logging.ERROR, "", 0, text, (dropped,), None))
            _handle(logger, record)
            del record  # its exception refers to frames of a job


writer = LogWriter()


class _Handed(logging.Logger):
    """Makes the records of a logger, and gives them to the writer."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._real = logging.getLogger(name)

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802
        return self._real.isEnabledFor(level)

    def handle(self, record: logging.LogRecord) -> None:
        writer.write(self._real, record)


class SafeLogger(logging.LoggerAdapter[logging.Logger]):
    """Logs like any other, and neither raises nor waits for handlers: one that fails, its service
    being away, must not end a thread of the engine. What it raised goes to stderr."""

    def __init__(self, name: str) -> None:
        super().__init__(_Handed(name), {})

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
            _tell(msg)


def _handle(logger: logging.Logger, record: logging.LogRecord) -> None:
    try:
        logger.handle(record)
    except BaseException:
        _tell(record.msg)


def _tell(text: object) -> None:
    """Say on stderr that this could not be logged, and why."""
    with suppress(BaseException):
        print(f"could not log {text!r}:", file=sys.stderr)
        traceback.print_exc()
