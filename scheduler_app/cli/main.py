"""schedulerctl: the commands against a server, on any machine that has gRPC, without Django.

What the command line does not say is the environment's, or that of a file (TOML) with the keys
endpoint, token, ca, cert and key: the environment's SCHEDULER_CONFIG, or
~/.config/schedulerctl.toml."""

import os
import sys
from argparse import ArgumentParser, Namespace
from typing import NoReturn

from scheduler_app.cli import completion, names
from scheduler_app.cli.codes import ExitCode, carry_out, code_of
from scheduler_app.cli.configured import configured
from scheduler_app.cli.output import output
from scheduler_app.cli.parser import add_commands, add_endpoint, proof_of
from scheduler_app.cli.typos import suggest
from scheduler_app.exceptions import SchedulerError
from scheduler_app.rpc.endpoint import DEFAULT_ENDPOINT, NO_GRPC, has_grpc
from scheduler_app.text import printable

CONFIG = "~/.config/schedulerctl.toml"


def main(arguments: list[str] | None = None) -> int:
    """Carry out the command line; return the exit code."""
    parser = ArgumentParser(
        prog="schedulerctl", description="Shows and controls a scheduler's jobs and runs over gRPC."
    )
    add_endpoint(parser, configured(parser, CONFIG))
    suggest(parser)
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add_commands(subparsers)
    names.add_command(subparsers)
    completion.add_command(subparsers, parser, "schedulerctl")
    options = parser.parse_args(arguments)
    if vars(options).get("local"):
        return _local(options)
    names.as_typed(vars(options))
    if not has_grpc():
        parser.error(f"{NO_GRPC}.")
    from scheduler_app.rpc.client import Client

    proof = proof_of(vars(options))
    try:
        client = Client(options.endpoint or DEFAULT_ENDPOINT, proof, vars(options).get("deadline"))
    except SchedulerError as error:
        return _told(printable(str(error)), code_of(error))
    try:
        ended = carry_out(client, options, output())
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has gone (`| head`). Python would complain once more at its exit.
        _give_up_output()
        return 0
    except OSError as error:  # a full disk, say
        _give_up_output()
        return _told(f"The answer cannot be written: {error}", ExitCode.REFUSED)
    finally:
        client.close()
    return _told(ended.error, ended.code) if ended.error else ended.code


def _give_up_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _local(options: Namespace) -> int:
    try:
        code: int = options.local(sys.stdout, sys.stderr, **vars(options))
    except SchedulerError as error:
        return _told(str(error), ExitCode.REFUSED)
    return code


def _told(text: str, code: int) -> int:
    print(f"schedulerctl: {text}", file=sys.stderr)
    return code


def run() -> NoReturn:
    """Be the console script."""
    if sys.stdout is None:  # closed by who started us
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    sys.exit(main())


if __name__ == "__main__":
    run()
