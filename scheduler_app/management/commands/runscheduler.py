"""manage.py runscheduler: the scheduler, and beside it the gRPC server, in one process."""

import gc
import signal
import threading
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from scheduler_app.engine.scheduler import Scheduler
from scheduler_app.exceptions import SchedulerError
from scheduler_app.models import database
from scheduler_app.rpc.server import DEFAULT_ADDRESS, Server

GRACE = 5.0
"""How long, in seconds, gRPC calls that are under way at the stop may take."""


class Command(BaseCommand):
    help = (
        "Fires the declared jobs until SIGTERM or SIGINT, and serves gRPC beside them. At the "
        "signal nothing more is begun, and the runs that are going may end within "
        'SCHEDULER["shutdown_timeout"] seconds.'
    )
    requires_migrations_checks = True

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "address",
            nargs="?",
            default=DEFAULT_ADDRESS,
            help=f"Where to serve gRPC, HOST:PORT (default: {DEFAULT_ADDRESS}).",
        )
        parser.add_argument(
            "--insecure",
            action="store_true",
            help="Serve gRPC without encryption and sign-in on an address that others can reach.",
        )

    def handle(self, *, address: str, insecure: bool, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        try:
            ended = self._run(address, insecure, stop)
        except (SchedulerError, DatabaseError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write("Stopped." if ended else "Stopped; some runs did not end in time.")

    def _run(self, address: str, insecure: bool, stop: threading.Event) -> bool:
        server = Server(address, insecure=insecure)
        scheduler = Scheduler()
        try:
            scheduler.start()
            database.connection().close()  # this thread only waits from here on
            server.start()
            _spare_what_is_loaded()
            self.stdout.write(f"Scheduler {scheduler.node} is running; gRPC at {server.address}.")
            stop.wait()
            self.stdout.write("Stopping: waiting for the runs that are going.")
        finally:
            ended = scheduler.stop() if scheduler.running else True
            server.stop(GRACE)
        return ended


def _spare_what_is_loaded() -> None:
    """All that is loaded now lives as long as the process. Have the garbage collector leave it
    alone: going through it takes 50 ms, in which no run starts."""
    gc.collect()
    gc.freeze()
