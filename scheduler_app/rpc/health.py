"""The standard health service: SERVING while database and scheduler are there."""

import logging
import threading

from django.db import DatabaseError, InterfaceError
from grpc_health.v1 import health, health_pb2

from scheduler_app.models import database
from scheduler_app.status import scheduler_running

logger = logging.getLogger(__name__)

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
INTERVAL = 1.0


class HealthReporter:
    """Sets the health of these services, every second, until it is stopped."""

    def __init__(self, services: tuple[str, ...]) -> None:
        # Watching clients are called back on gRPC's own threads, and hold none of the pool's.
        self.servicer = health.HealthServicer(experimental_non_blocking=True)
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
