"""The standard health service: SERVING while the database answers and a scheduler works."""

import threading
import time
from collections.abc import Callable
from typing import Any

from grpc_health.v1 import health, health_pb2

from scheduler_app.logs import SafeLogger
from scheduler_app.models import database
from scheduler_app.status import scheduler_running

logger = SafeLogger(__name__)

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
INTERVAL = 2.0
"""Seconds between two looks. A scheduler that dies is noticed by its heartbeat, much later."""
LONGEST_LOOK = 4.0
"""How old, in seconds, the last answer may be. One that is older proves nothing."""
WATCH = 0.5
"""Seconds between two checks of the age of the last answer."""
PATIENCE = 5.0
"""How long, in seconds, a stop waits for a look that is under way."""


class HealthServicer(health.HealthServicer):
    """The library's, without its deadlock: when a watching client goes, its callback, which gRPC
    makes on the one thread that serves all calls, waits for a lock that set() holds while it waits
    for that thread."""

    def _on_close_callback(
        self, send_response_callback: Callable[[Any], None], service: str
    ) -> Callable[[], None]:
        forget = super()._on_close_callback(send_response_callback, service)
        return lambda: threading.Thread(target=forget, daemon=True).start()


class HealthReporter:
    """Keeps the health of these services true, to a few seconds, until it is stopped.

    One thread looks whether all is well, as `look` says; another serves no answer that has become
    old, because a look hangs."""

    def __init__(
        self, services: tuple[str, ...], look: Callable[[], bool] = scheduler_running
    ) -> None:
        # Watching clients are called back on gRPC's own threads, and hold none of the pool's.
        self.servicer = HealthServicer(experimental_non_blocking=True)
        self._services = services
        self._look = look
        self._stopped = threading.Event()
        self._answered_at = 0.0
        self._is_well = self._is_serving = False
        self._threads = [
            threading.Thread(target=loop, name=f"scheduler-health-{number}", daemon=True)
            for number, loop in enumerate((self._look_again, self._watch))
        ]
        self._set(NOT_SERVING)

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Say NOT_SERVING from now on."""
        self._stopped.set()
        deadline = time.monotonic() + PATIENCE
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, deadline - time.monotonic()))
        self.servicer.enter_graceful_shutdown()

    def _look_again(self) -> None:
        while not self._stopped.is_set():
            try:
                self._is_well, self._answered_at = self._look(), time.monotonic()
                database.forget_queries()
            except BaseException as error:
                self._is_well, self._answered_at = False, time.monotonic()
                logger.warning("health: %s", error)
                database.close_connection()
            self._stopped.wait(INTERVAL)
        database.close_connection()

    def _watch(self) -> None:
        while not self._stopped.is_set():
            try:
                self._serve()
            except BaseException as error:
                logger.warning("health: cannot tell a client: %s", error)
            self._stopped.wait(WATCH)

    def _serve(self) -> None:
        is_recent = time.monotonic() - self._answered_at < INTERVAL + LONGEST_LOOK
        serves = self._is_well and is_recent
        if serves != self._is_serving:
            why = "" if is_recent else ": no look has been completed lately"
            logger.info("gRPC is %s%s", "serving" if serves else "not serving", why)
            self._set(SERVING if serves else NOT_SERVING)
            self._is_serving = serves

    def _set(self, state: "health_pb2.HealthCheckResponse.ServingStatus") -> None:
        for service in self._services:
            self.servicer.set(service, state)
