"""The exit codes of all commands that ask the API, and what they say when something is wrong."""

from argparse import Namespace
from enum import IntEnum
from typing import NamedTuple

from scheduler_app.cli.api import Api, is_unknown_job, suggestion
from scheduler_app.cli.output import Output
from scheduler_app.exceptions import SchedulerError
from scheduler_app.rpc.endpoint import BadConnection, CallError, NoAnswer
from scheduler_app.text import printable


class ExitCode(IntEnum):
    DONE = 0
    REFUSED = 1
    """The answer is no, or what was asked for was not done."""
    USAGE = 2
    """What was typed, or configured, cannot be understood; argparse's own code, too."""
    NOT_REACHABLE = 3
    """No server answers, or its database does not."""
    NOT_PERMITTED = 4
    INTERRUPTED = 130
    """By Ctrl-C."""


CODES = {
    "PERMISSION_DENIED": ExitCode.NOT_PERMITTED,
    "UNAUTHENTICATED": ExitCode.NOT_PERMITTED,
    "UNAVAILABLE": ExitCode.NOT_REACHABLE,
}


class Ended(NamedTuple):
    """How a command has ended."""

    code: int
    error: str = ""
    """What to say on standard error."""


def carry_out(api: Api, options: Namespace, out: Output) -> Ended:
    """Carry out the command of these options. Raises what the database raises."""
    try:
        return Ended(options.run(api, options, out))
    except KeyboardInterrupt:
        return Ended(ExitCode.INTERRUPTED)
    except SchedulerError as error:
        return Ended(code_of(error), printable(f"{error}{_hint(api, options, error)}"))


def code_of(error: SchedulerError) -> ExitCode:
    if isinstance(error, BadConnection):
        return ExitCode.USAGE
    if isinstance(error, NoAnswer):
        return ExitCode.NOT_REACHABLE
    return CODES.get(error.code if isinstance(error, CallError) else "", ExitCode.REFUSED)


def _hint(api: Api, options: Namespace, error: SchedulerError) -> str:
    if not is_unknown_job(error):
        return ""
    named = vars(options).get("jobs") or [options.job]
    near = next((suggestion(api, name) for name in named if name in str(error)), "")
    return f". Did you mean {near}?" if near else ""
