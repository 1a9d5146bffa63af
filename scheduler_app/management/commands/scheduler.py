"""manage.py scheduler: asks the server or, if none on this machine answers, the database itself;
audit-ledger, rebuild-rollups and import work on the database alone."""

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError

from scheduler_app.cli import completion, names
from scheduler_app.cli.codes import ExitCode, carry_out, code_of
from scheduler_app.cli.configured import configured
from scheduler_app.cli.output import output
from scheduler_app.cli.parser import add_commands, add_endpoint, proof_of
from scheduler_app.cli.typos import suggest
from scheduler_app.exceptions import SchedulerError
from scheduler_app.management import importing, ledger, rollups, tokens
from scheduler_app.models.faults import Fault, fault_of, in_words
from scheduler_app.rpc.door import Door
from scheduler_app.text import printable


class Command(BaseCommand):
    help = (
        "Shows and controls the scheduler, its jobs and runs: over gRPC or, if no server on this "
        "machine answers, in the database. Audits and explains what is in it. Translates the jobs "
        "of other schedulers."
    )
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_endpoint(parser, configured(parser))
        suggest(parser)
        subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
        add_commands(subparsers)
        tokens.add_command(subparsers)
        ledger.add_command(subparsers)
        rollups.add_command(subparsers)
        importing.add_command(subparsers)
        names.add_command(subparsers)
        completion.add_command(subparsers, parser, completion.MANAGE)

    def handle(self, *, local: Callable[..., object] | None = None, **options: Any) -> None:
        names.as_typed(options)
        endpoint, proof = options.pop("endpoint"), proof_of(options)
        try:
            if local:
                local(self.stdout, self.stderr, **options)
                return
            self.stdout.ending = ""  # Output ends its lines, and what a run prints may be none
            with Door(endpoint, proof, options.get("deadline")) as door:
                out = output(self.stdout, self.stderr, in_colour=not options["no_color"])
                ended = carry_out(door, Namespace(**options), out)
        except SchedulerError as error:
            raise CommandError(printable(str(error)), returncode=code_of(error)) from error
        except (DatabaseError, InterfaceError) as error:
            is_away = fault_of(error) is Fault.AWAY
            code = ExitCode.NOT_REACHABLE if is_away else ExitCode.REFUSED
            raise CommandError(in_words(error), returncode=code) from error
        except BrokenPipeError:
            # The reader has gone (`| head`). Python would complain once more at its exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return
        if ended.error:
            raise CommandError(ended.error, returncode=ended.code)
        if ended.code:
            raise SystemExit(ended.code)
