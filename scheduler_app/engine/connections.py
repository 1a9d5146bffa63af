"""Connections on which an engine thread does not wait for ever.

A process of the server may be stopped, or a network may drop one connection silently. No timeout of
the server's ends such a wait; another thread of this process does."""

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
    """Watch the connection to PostgreSQL of one thread, which uses it in `with` blocks and calls
    close() at its end. Another thread calls observe() at short intervals: a statement that has no
    answer after `limit` seconds then raises OperationalError in the thread that waits for it.

    The server may keep the broken session until it can answer. So that a server of which every
    commit hangs does not run out of sessions, the limit doubles until a block ends well."""

    def __init__(self, limit: float) -> None:
        self._shortest = self._limit = limit
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        """A duplicate of the driver's socket: the driver may close its own at any moment, and the
        system may then give its number to another file."""
        self._driver: object = None
        self._wrapper: BaseDatabaseWrapper | None = None
        self._is_in_use = False
        self._steps = 0
        """How many statements have begun or ended."""
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
        if error is None:
            self._limit = self._shortest

    def observe(self, seconds: float) -> None:
        """Break the connection if a statement has waited for `limit` seconds. `seconds`: how long
        ago the last call was, less the time for which this process itself was held up."""
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
        self._limit *= 2

    @property
    def _is_current(self) -> bool:
        """Return False if the thread has given the connection back, to a pool say."""
        return self._wrapper is not None and self._wrapper.connection is self._driver

    def close(self) -> None:
        """Watch no more. The connection itself stays open."""
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
