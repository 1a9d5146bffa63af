"""The standard health service: SERVING while database and scheduler are there."""

import logging
import threading
from collections.abc import Callable
from typing import Any

from django.db import DatabaseError, InterfaceError
from grpc_health.v1 import health, health_pb2

from scheduler_app.models import database
from scheduler_app.status import scheduler_running

logger = logging.getLogger(__name__)

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
INTERVAL = 2.0
"""Seconds between two looks. A scheduler that dies is noticed by its heartbeat, much later."""


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
    """Keeps the health of these services true, to two seconds, until it is stopped."""

    def __init__(self, services: tuple[str, ...]) -> None:
        # Watching clients are called back on gRPC's own threads, and hold none of the pool's.
        self.servicer = HealthServicer(experimental_non_blocking=True)
        self._services = services
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="scheduler-health", daemon=True)
        self._set(NOT_SERVING)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """NOT_SERVING from now on."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()
        self.servicer.enter_graceful_shutdown()

    def _loop(self) -> None:
        was_ready = False
        while not self._stopped.is_set():
            ready = is_ready()
            if ready != was_ready:
                logger.info("gRPC is %s", "serving" if ready else "not serving")
                self._set(SERVING if ready else NOT_SERVING)
            was_ready = ready
            self._stopped.wait(INTERVAL)
        database.connection().close()

    def _set(self, state: "health_pb2.HealthCheckResponse.ServingStatus") -> None:
        for service in self._services:
            self.servicer.set(service, state)


def is_ready() -> bool:
    """Whether the database answers and a scheduler is alive."""
    try:
        return scheduler_running()
    except (DatabaseError, InterfaceError) as error:
        logger.warning("health: %s", error)
        database.connection().close()
        return False
