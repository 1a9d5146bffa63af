"""manage.py scheduler: status, pause, resume and cancel, over gRPC or, if no server answers, over
the database; audit-ledger and explain, over the database; import, from other schedulers."""

import json
import os
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError

from scheduler_app.exceptions import SchedulerError
from scheduler_app.management import importing, ledger
from scheduler_app.models.faults import in_words
from scheduler_app.rpc.door import Door
from scheduler_app.rpc.endpoint import DEFAULT_ENDPOINT, CallError
from scheduler_app.rpc.table import status_lines
from scheduler_app.rpc.values import Values
from scheduler_app.text import printable

CLEAR = "\033[2J\033[H"


class Command(BaseCommand):
    help = (
        "Shows the scheduler and its jobs, pauses and resumes jobs, cancels runs: over gRPC or, if "
        "no server on this machine answers, in the database. Audits and explains what is in it. "
        "Translates the jobs of other schedulers."
    )
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--endpoint",
            default=DEFAULT_ENDPOINT,
            type=ledger.text,
            help=f"The gRPC server, with or without http:// (default: {DEFAULT_ENDPOINT}).",
        )
        commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
        status = commands.add_parser("status", help="Show the scheduler and all jobs.")
        form = status.add_mutually_exclusive_group()
        form.add_argument(
            "--json",
            dest="as_json",
            action="store_true",
            help="As JSON; names and units as in memory.proto.",
        )
        form.add_argument(
            "--watch",
            nargs="?",
            type=_seconds,
            const=2.0,
            metavar="SECONDS",
            help="Again and again, every 2 seconds unless told otherwise, until Ctrl-C.",
        )
        for name, help_text in (
            ("pause", "Stop firing a job; a running run continues."),
            ("resume", "Fire a paused job again."),
        ):
            commands.add_parser(name, help=help_text).add_argument(
                "job_name", metavar="JOB", type=ledger.text
            )
        cancel = commands.add_parser(
            "cancel", help="End a run early; status tells which are going."
        )
        cancel.add_argument("run_id", metavar="RUN_ID", type=_run_id)
        cancel.add_argument(
            "--reason", default="", type=ledger.text, help="Kept with the run and in the audit log."
        )
        ledger.add_commands(commands)
        importing.add_command(commands)

    def handle(
        self,
        *,
        endpoint: str,
        command: str,
        local: Callable[..., None] | None = None,
        **options: Any,
    ) -> None:
        try:
            if local:
                local(self.stdout, self.stderr, **options)
                return
            with Door(endpoint) as door:
                getattr(self, f"_{command}")(door, **options)
        except SchedulerError as error:
            raise CommandError(printable(str(error))) from error
        except (DatabaseError, InterfaceError) as error:
            raise CommandError(in_words(error)) from error
        except BrokenPipeError:
            # The reader has gone (`| head`). Python would complain once more at its exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def _status(self, door: Door, *, as_json: bool, watch: float | None, **_: Any) -> None:
        if as_json:
            status = door.status()
            source = "database" if door.note else "server"
            self.stdout.write(json.dumps({"source": source} | status, indent=2))
        elif watch is None:
            self._print(door)
        else:
            self._watch(door, watch)

    def _pause(self, door: Door, *, job_name: str, **_: Any) -> None:
        self._report("pause", "paused", job_name, door.pause(job_name), door)

    def _resume(self, door: Door, *, job_name: str, **_: Any) -> None:
        self._report("resume", "resumed", job_name, door.resume(job_name), door)

    def _cancel(self, door: Door, *, run_id: int, reason: str, **_: Any) -> None:
        answer = door.cancel(run_id, reason)
        self._note(door)
        if not answer["success"]:
            raise CommandError(f"Failed to cancel run {run_id}: {answer['error']}")
        done = "asked to end" if answer["is_running"] else "cancelled"
        self.stdout.write(f"Run {run_id} {done}.")

    def _report(
        self,
        verb: str,
        done: str,
        name: str,
        answer: Values,
        door: Door,
    ) -> None:
        self._note(door)
        if not answer["success"]:
            raise CommandError(printable(f"Failed to {verb} '{name}': {answer['error']}"))
        self.stdout.write(printable(f"Job '{name}' {done}."))

    def _note(self, door: Door) -> None:
        if door.note:
            self.stderr.write(printable(door.note))

    def _print(self, door: Door) -> None:
        lines = list(status_lines(door.status()))
        if door.note:
            lines.insert(0, printable(door.note))
        self.stdout.write("\n".join(lines))

    def _watch(self, door: Door, seconds: float) -> None:
        """Show a server that is away, and wait for it."""
        try:
            while True:
                self.stdout.write(CLEAR if self.stdout.isatty() else "", ending="")
                try:
                    self._print(door)
                except (CallError, DatabaseError, InterfaceError) as error:
                    self.stdout.write(printable(str(error)))
                self.stdout.write("")
                self.stdout.flush()
                time.sleep(seconds)
        except KeyboardInterrupt:
            return


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 3600:
        raise ArgumentTypeError(f"{text!r} is not a number of seconds from 0.1 to 3600")
    return seconds


def _run_id(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and 0 < int(text) < 2**63):
        raise ArgumentTypeError(f"{text!r} is not the number of a run")
    return int(text)
