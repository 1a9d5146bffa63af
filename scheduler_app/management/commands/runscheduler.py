"""manage.py runscheduler: the scheduler, and beside it the gRPC server, in one process."""

import gc
import signal
import sys
import threading
import traceback
from argparse import ArgumentParser
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from django.core.management.base import CommandError
from django.db import DatabaseError

from scheduler_app.conf import scheduler_settings
from scheduler_app.engine.scheduler import Scheduler
from scheduler_app.exceptions import SchedulerError
from scheduler_app.execution import streams
from scheduler_app.management.ending import ExitCode, end_process
from scheduler_app.management.running import RunningCommand, TolerantOutput, leave_forks_alone
from scheduler_app.management.watch import Watch, longest_stop
from scheduler_app.models import database
from scheduler_app.models.faults import in_words
from scheduler_app.processes import init
from scheduler_app.processes.guard import Guard
from scheduler_app.rpc.endpoint import DEFAULT_ADDRESS, NO_GRPC, AddressError, has_grpc
from scheduler_app.status import node_health

if TYPE_CHECKING:
    from scheduler_app.rpc.server import Server

GRACE = 5.0
"""How long, in seconds, gRPC calls that are under way at the stop may take."""


class Command(RunningCommand):
    help = (
        "Fires the declared jobs until SIGTERM, SIGINT or SIGHUP, and serves gRPC beside them. At "
        "the signal nothing more is begun, and the runs that are going may end within "
        'SCHEDULER["shutdown_timeout"] seconds. A second signal ends it at once. Exit codes: '
        "0 everything has ended; 1 it could not start; 3 something did not end in time and was cut "
        "off; 4 it could not work any more and wants a restart; 128 + N at a second signal N."
    )
    requires_migrations_checks = True

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._code = ExitCode.STOPPED
        self._has_run = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "address",
            nargs="?",
            help=f"Where to serve gRPC, HOST:PORT (default: {DEFAULT_ADDRESS}).",
        )
        parser.add_argument(
            "--insecure",
            action="store_true",
            help="Serve gRPC without encryption on an address that others can reach, and let "
            "everybody who reaches it do everything.",
        )
        parser.add_argument(
            "--adopt-database",
            action="store_true",
            help='Have the database belong to SCHEDULER["installation"] from now on, although it '
            "belongs to another installation: for a copy that is to fire its jobs.",
        )

    def run_from_argv(self, argv: list[str]) -> None:
        """Run as a process of its own, which ends whatever hangs."""
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # before there is anything to be ended
        leave_forks_alone()
        init.start_again_below()
        streams.close_input()
        streams.open_missing_output()
        self.stdout, self.stderr = TolerantOutput(sys.stdout), TolerantOutput(sys.stderr)
        try:
            super().run_from_argv(argv)
            code = int(self._code)
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else int(error.code is not None)
        except BaseException:
            traceback.print_exc()
            code = ExitCode.NOT_STARTED
        end_process(code, self._say_goodbye)

    def handle(
        self, *, address: str | None, insecure: bool, adopt_database: bool, **options: Any
    ) -> None:
        settings = scheduler_settings()
        guard = Guard(longest_stop(settings))
        scheduler = Scheduler(guard=guard, adopt_database=adopt_database)
        watch = Watch(scheduler, guard, settings)
        watch.follow_signals()
        try:
            guard.start()
            bind = partial(_bind, address, insecure, scheduler)
            has_ended = watch.run(partial(self._serve, scheduler, bind))
        except DatabaseError as error:
            raise CommandError(in_words(error)) from error
        except (SchedulerError, OSError) as error:
            raise CommandError(str(error)) from error
        self._code = watch.code if has_ended else watch.code or ExitCode.CUT_OFF

    def _serve(
        self,
        scheduler: Scheduler,
        bind: Callable[[], "Server | NoServer"],
        stop: threading.Event,
        started: Callable[[], None],
    ) -> bool:
        """Fire jobs and serve until `stop`; return whether everything has ended by itself."""
        has_ended = True
        server = bind()
        try:
            database.serve_engine()  # a start waits for no lock for long
            scheduler.start()
            database.connection().close()  # this thread only waits from here on
            server.start()
            scheduler.vitals.threads += server.threads
            _spare_what_is_loaded()
            self._has_run = True
            started()
            self._say(f"Scheduler {scheduler.node} is running; {server.words}.")
            stop.wait()
            self._say("Stopping: waiting for the runs that are going.")
        finally:
            if scheduler.running:
                has_ended = scheduler.stop()
            server.stop(GRACE)
        return has_ended

    def _say_goodbye(self, code: int) -> None:
        if self._has_run:
            cut = code == ExitCode.CUT_OFF
            self._say("Stopped; something did not end in time." if cut else "Stopped.")

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()


class NoServer:
    """In the place of Server where gRPC is not installed."""

    words = f"there is no gRPC server: {NO_GRPC}"
    threads: tuple[()] = ()

    def start(self) -> None:
        """Nothing is served."""

    def stop(self, grace: float) -> None:
        """Nothing is served."""


def _bind(address: str | None, insecure: bool, scheduler: Scheduler) -> "Server | NoServer":
    if not has_grpc():
        if address:
            raise AddressError(f"Nothing can be served at {address}: {NO_GRPC}.")
        return NoServer()
    from scheduler_app.rpc import sockets
    from scheduler_app.rpc.server import Server

    return Server(
        address or DEFAULT_ADDRESS,
        insecure=insecure,
        look=partial(_is_well, scheduler),
        socket_path=sockets.path(),
    )


def _is_well(scheduler: Scheduler) -> bool:
    health = node_health(scheduler.node.pk)
    return health is not None and health.is_well


def _spare_what_is_loaded() -> None:
    """Have the garbage collector leave alone what is loaded now, which lives as long as the
    process: going through it takes 50 ms, in which no run starts."""
    gc.collect()
    gc.freeze()
