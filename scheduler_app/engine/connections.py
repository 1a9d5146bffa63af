"""Connections on which an engine thread does not wait for ever.

A server's process may stand still, or a network may drop one connection without a word. No timeout
of the server's own ends such a question; another thread of this process does."""

import os
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from scheduler_app.logs import SafeLogger
from scheduler_app.models import database

logger = SafeLogger(__name__)


class WatchedConnection:
    """The connection to PostgreSQL of one thread, which uses it in `with` blocks, and calls close()
    at its end. Another thread calls observe() at short intervals: a question that has no answer
    after `limit` seconds then raises OperationalError in the thread that asks."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        """A duplicate of the driver's own, so that it is never somebody else's file by now."""
        self._driver: object = None
        self._wrapper: BaseDatabaseWrapper | None = None
        self._is_in_use = False
        self._steps = 0
        """How many questions have begun or ended."""
        self._seen = 0
        self._waited = 0.0

    def __enter__(self) -> None:
        self._wrapper = wrapper = database.connection()
        if wrapper.vendor == "postgresql" and self._execute not in wrapper.execute_wrappers:
            wrapper.execute_wrappers.append(self._execute)
        self._steps += 1
        self._is_in_use = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_in_use = False

    def observe(self, seconds: float) -> None:
        """Note that so many seconds have passed since the last call, in which this process was not
        held up itself, and break the connection if its time is up."""
        if not self._is_in_use or self._steps != self._seen:
            self._seen, self._waited = self._steps, 0.0
            return
        self._waited += seconds
        if self._waited < self._limit:
            return
        self._waited = 0.0
        with self._lock:
            if self._socket is None or self._steps != self._seen or not self._is_current:
                return
            try:
                self._socket.shutdown(socket.SHUT_RDWR)
            except OSError:  # the other side has closed it
                return
        logger.warning("the database has not answered for %.0f s: connecting anew", self._limit)

    @property
    def _is_current(self) -> bool:
        """Whether the connection is still the thread's; it may have been given to a pool since."""
        return self._wrapper is not None and self._wrapper.connection is self._driver

    def close(self) -> None:
        """Give back what it holds; the connection itself is its thread's."""
        if self._wrapper is not None and self._execute in self._wrapper.execute_wrappers:
            self._wrapper.execute_wrappers.remove(self._execute)
        self._hold(None)

    def _hold(self, driver: Any) -> None:
        with self._lock:
            if self._socket is not None:
                self._socket.close()
            self._driver = driver
            self._socket = socket.socket(fileno=os.dup(driver.fileno())) if driver else None

    def _execute(
        self,
        execute: Callable[..., Any],
        sql: str,
        params: Any,
        many: bool,
        context: dict[str, Any],
    ) -> Any:
        """Execute a statement, as an execute wrapper of Django."""
        driver = context["connection"].connection
        if driver is not self._driver:
            self._hold(driver)
        self._steps += 1
        try:
            return execute(sql, params, many, context)
        finally:
            self._steps += 1
