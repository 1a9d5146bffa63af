"""manage.py scheduler: status, pause, resume and cancel, over gRPC; audit-ledger and explain, over
the database."""

import json
import os
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from protos import memory_pb2 as pb
from scheduler_app.exceptions import SchedulerError
from scheduler_app.management import ledger
from scheduler_app.rpc.client import DEFAULT_ENDPOINT, CallError, Client
from scheduler_app.rpc.table import status_lines

CLEAR = "\033[2J\033[H"


class Command(BaseCommand):
    help = (
        "Shows the scheduler and its jobs, pauses and resumes jobs, cancels runs, over gRPC; "
        "audits and explains what is in the database."
    )
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--endpoint",
            default=DEFAULT_ENDPOINT,
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
            ("pause", "Stop firing a job; a run that is going goes on."),
            ("resume", "Fire a paused job again."),
        ):
            commands.add_parser(name, help=help_text).add_argument("job_name", metavar="JOB")
        cancel = commands.add_parser(
            "cancel", help="End a run early; status tells which are going."
        )
        cancel.add_argument("run_id", metavar="RUN_ID", type=_run_id)
        cancel.add_argument("--reason", default="", help="Kept with the run and in the audit log.")
        ledger.add_commands(commands)

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
                local(self.stdout, **options)
                return
            with Client(endpoint) as client:
                getattr(self, f"_{command}")(client, **options)
        except (CallError, SchedulerError, DatabaseError) as error:
            raise CommandError(str(error)) from error
        except BrokenPipeError:
            # The reader has gone (`| head`). Python would complain once more at its exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def _status(self, client: Client, *, as_json: bool, watch: float | None, **_: Any) -> None:
        if as_json:
            self.stdout.write(_as_json(client.status()))
        elif watch is None:
            self._print(client.status())
        else:
            self._watch(client, watch)

    def _pause(self, client: Client, *, job_name: str, **_: Any) -> None:
        self._report("pause", "paused", job_name, client.pause(job_name))

    def _resume(self, client: Client, *, job_name: str, **_: Any) -> None:
        self._report("resume", "resumed", job_name, client.resume(job_name))

    def _cancel(self, client: Client, *, run_id: int, reason: str, **_: Any) -> None:
        answer = client.cancel(run_id, reason)
        if not answer.success:
            raise CommandError(f"Failed to cancel run {run_id}: {answer.error}")
        done = "asked to end" if answer.is_running else "cancelled"
        self.stdout.write(f"Run {run_id} {done}.")

    def _report(
        self, verb: str, done: str, name: str, answer: pb.PauseJobResponse | pb.ResumeJobResponse
    ) -> None:
        if not answer.success:
            raise CommandError(f"Failed to {verb} '{name}': {answer.error}")
        self.stdout.write(f"Job '{name}' {done}.")

    def _print(self, status: pb.GetSchedulerStatusResponse) -> None:
        self.stdout.write("\n".join(status_lines(status)))

    def _watch(self, client: Client, seconds: float) -> None:
        """A server that is away is told, and waited for."""
        try:
            while True:
                self.stdout.write(CLEAR if self.stdout.isatty() else "", ending="")
                try:
                    self._print(client.status())
                except CallError as error:
                    self.stdout.write(str(error))
                self.stdout.write("")
                self.stdout.flush()
                time.sleep(seconds)
        except KeyboardInterrupt:
            return


def _as_json(status: pb.GetSchedulerStatusResponse) -> str:
    jobs = [_as_dict(job) for job in status.jobs]
    answer = {"scheduler_running": status.scheduler_running, "jobs": jobs}
    return json.dumps(answer, indent=2)


def _as_dict(job: pb.JobStatusProto) -> dict[str, Any]:
    """The message field by field; protobuf's own JSON would have whole numbers as text."""
    values = {field.name: getattr(job, field.name) for field in job.DESCRIPTOR.fields}
    return values | {
        "last_result": pb.JobResultStatus.Name(job.last_result),
        "last_error": job.last_error if job.HasField("last_error") else None,
        "problem": job.problem if job.HasField("problem") else None,
        "last_run_metadata": dict(job.last_run_metadata),
        "running_run_ids": list(job.running_run_ids),
        "interrupted_run_ids": list(job.interrupted_run_ids),
    }


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 3600:
        raise ArgumentTypeError(f"{text!r} is not a number of seconds from 0.1 to 3600")
    return seconds


def _run_id(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 2**63):
        raise ArgumentTypeError(f"{text!r} is not the number of a run")
    return int(text)
