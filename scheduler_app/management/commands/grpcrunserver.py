"""manage.py grpcrunserver: gRPC without a scheduler.

In the place of djangogrpcframework's command of that name, which does not load on Django 4.1 and
later; the arguments are the same."""

import os
import signal
import threading
import time
import traceback
from argparse import ArgumentParser, ArgumentTypeError
from types import FrameType
from typing import Any

from django.core.management.base import CommandError
from django.utils import autoreload

from scheduler_app.management.ending import SIGNALS, ExitCode, end_process, end_process_now
from scheduler_app.management.running import RunningCommand, leave_forks_alone
from scheduler_app.rpc.endpoint import (
    DEFAULT_ADDRESS,
    DEFAULT_WORKERS,
    NO_GRPC,
    AddressError,
    has_grpc,
)

GRACE = 5.0
"""How long, in seconds, calls that are under way at the stop may take."""
GLANCE = 1.0
"""Seconds between two looks whether calls are still answered."""
LONGEST_STOP = 15.0
"""How long, in seconds, the process may live after a signal, whatever hangs: also in its start."""
SIGNAL_GLANCE = 0.2
"""Seconds between two looks whether a signal has come."""


class Command(RunningCommand):
    help = (
        "Serves gRPC until SIGTERM, SIGINT or SIGHUP. A second signal ends it at once. Exit codes: "
        "0 it has stopped; 1 it could not start; 3 something did not end in time and was cut off; "
        "4 it could not serve any more and wants a restart; 128 + N at a second signal N."
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._stop = threading.Event()
        self._signals = 0

    def run_from_argv(self, argv: list[str]) -> None:
        """Run as a process of its own, which ends whatever hangs."""
        if "--dev" in argv:  # the reloader's, which ends it as it wants
            super().run_from_argv(argv)
            return
        leave_forks_alone()
        for number in SIGNALS:
            signal.signal(number, self._take_signal)
        threading.Thread(target=self._follow_signals, name="signals", daemon=True).start()
        code = int(ExitCode.STOPPED)
        try:
            super().run_from_argv(argv)
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else int(error.code is not None)
        except BaseException:
            traceback.print_exc()
            code = ExitCode.NOT_STARTED
        end_process(code, lambda _: None)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "address",
            nargs="?",
            default=DEFAULT_ADDRESS,
            help=f"Where to serve, HOST:PORT (default: {DEFAULT_ADDRESS}).",
        )
        parser.add_argument(
            "--max-workers",
            type=_positive,
            default=DEFAULT_WORKERS,
            help=f"How many calls are answered at a time (default: {DEFAULT_WORKERS}).",
        )
        parser.add_argument("--dev", action="store_true", help="Restart whenever the code changes.")
        parser.add_argument(
            "--insecure",
            action="store_true",
            help="Serve without encryption on an address that others can reach, and let everybody "
            "who reaches it do everything.",
        )

    def handle(
        self, *, address: str, max_workers: int, dev: bool, insecure: bool, **options: Any
    ) -> None:
        if not has_grpc():
            raise CommandError(f"{NO_GRPC}.")
        if dev:
            autoreload.run_with_reloader(self._serve, address, max_workers, insecure, None)
            return
        self._serve(address, max_workers, insecure, self._stop)

    def _serve(
        self, address: str, max_workers: int, insecure: bool, stop: threading.Event | None
    ) -> None:
        """Serve until `stop` is set; without it, until the process ends."""
        from scheduler_app.rpc.server import Server

        try:
            server = Server(address, insecure=insecure, max_workers=max_workers)
        except AddressError as error:
            raise CommandError(str(error)) from error
        server.start()
        self.stdout.write(f"{server.words}.")
        stop = stop or threading.Event()
        while not stop.wait(GLANCE):
            if not all(thread.is_alive() for thread in server.threads):
                self.stderr.write("gRPC's own thread has ended: no call is answered any more.")
                end_process_now(ExitCode.STUCK)  # Python's own exit would wait for gRPC, for ever
        server.stop(GRACE)

    def _take_signal(self, number: int, _: FrameType | None) -> None:
        """Only count: the main thread, which this interrupts, may hold any lock."""
        self._signals += 1
        if self._signals > 1:
            os._exit(128 + number)

    def _follow_signals(self) -> None:
        """Stop at the first signal, and end the process if that takes too long."""
        while not self._signals:
            time.sleep(SIGNAL_GLANCE)
        self._stop.set()
        time.sleep(LONGEST_STOP)
        self.stderr.write("It did not end in time.")
        end_process_now(ExitCode.CUT_OFF)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is not a whole number above zero")
    return int(text)
