"""schedulerctl: the commands against a server, on any machine that has gRPC, without Django.

What the command line does not say is the environment's, or that of a file (TOML) with the keys
endpoint, token, ca, cert and key: the environment's SCHEDULER_CONFIG, or
~/.config/schedulerctl.toml."""

import os
import sys
import tomllib
from argparse import ArgumentParser
from pathlib import Path
from typing import NoReturn

from scheduler_app.cli.codes import carry_out, code_of
from scheduler_app.cli.output import Output
from scheduler_app.cli.parser import CONNECTION, add_commands, add_endpoint, proof_of
from scheduler_app.exceptions import SchedulerError
from scheduler_app.rpc.endpoint import DEFAULT_ENDPOINT, NO_GRPC, has_grpc
from scheduler_app.text import printable

CONFIG = "~/.config/schedulerctl.toml"


def main(arguments: list[str] | None = None) -> int:
    """Carry out the command line; return the exit code."""
    parser = ArgumentParser(
        prog="schedulerctl", description="Shows and controls a scheduler's jobs and runs over gRPC."
    )
    add_endpoint(parser, _configured(parser))
    add_commands(parser.add_subparsers(dest="command", required=True, metavar="COMMAND"))
    options = parser.parse_args(arguments)
    if not has_grpc():
        parser.error(f"{NO_GRPC}.")
    from scheduler_app.rpc.client import Client

    proof = proof_of(vars(options))
    try:
        client = Client(options.endpoint or DEFAULT_ENDPOINT, proof)
    except SchedulerError as error:
        return _told(printable(str(error)), code_of(error))
    try:
        ended = carry_out(client, options, Output())
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has gone (`| head`). Python would complain once more at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    finally:
        client.close()
    return _told(ended.error, ended.code) if ended.error else ended.code


def _told(text: str, code: int) -> int:
    print(f"schedulerctl: {text}", file=sys.stderr)
    return code


def _configured(parser: ArgumentParser) -> dict[str, str]:
    """Return what the file says."""
    chosen = os.environ.get("SCHEDULER_CONFIG")
    path = Path(chosen or CONFIG).expanduser()
    if not chosen and not path.exists():
        return {}
    try:
        found = tomllib.loads(path.read_text())
    except (OSError, ValueError) as error:
        parser.error(f"{path} cannot be read: {error}")
    for name, value in found.items():
        if name not in CONNECTION or not isinstance(value, str):
            parser.error(f"{path}: {name!r} is not one of {', '.join(CONNECTION)}, as text.")
    return found


def run() -> NoReturn:
    """Be the console script."""
    sys.exit(main())


if __name__ == "__main__":
    run()
