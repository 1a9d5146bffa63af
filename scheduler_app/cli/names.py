"""The names that a shell offers: `names KIND WORD...`, which only completion scripts call."""

import re
import shlex
from argparse import REMAINDER, Action, ArgumentError, ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any
from zoneinfo import available_timezones

from scheduler_app.cli.api import Api, every
from scheduler_app.cli.output import Output
from scheduler_app.cli.parser import add_endpoint
from scheduler_app.exceptions import SchedulerError
from scheduler_app.rpc.wire import RUN_STATE

DEADLINE = 1.0
"""Seconds that a server has to answer: a person has pressed Tab and waits."""
MOST_JOBS, MOST_RUNS = 1_000, 50
PLAIN = re.compile(r"[A-Za-z0-9._/+-]+")
"""What no shell takes for anything else. Names of jobs are of this kind."""
UNSUCCESSFUL = ("failed", "lost", "missed", "skipped", "cancelled")
RUNS = {"cancel": "active", "retry": "unsuccessful"}
"""Which runs a command is for; others are for all."""


def names(api: Api, options: Namespace, out: Output) -> int:
    """Print the names of a kind, one a line: none if there is no answer."""
    try:
        found = KINDS[options.kind](api, _begun(options))
        out.lines(name for name in found if PLAIN.fullmatch(name))
    except SchedulerError:
        return 0
    return 0


def _jobs(api: Api, prefix: str) -> Iterator[str]:
    jobs = every(api, "ListJobs", "jobs", limit=MOST_JOBS, name_prefix=prefix)
    return (job["job_name"] for job in jobs)


def _runs(*states: str) -> Callable[[Api, str], Iterator[str]]:
    def found(api: Api, _: str) -> Iterator[str]:
        wanted = [f"{RUN_STATE}{state.upper()}" for state in states]
        runs = every(api, "ListRuns", "runs", limit=MOST_RUNS, states=wanted)
        return (str(run["run_id"]) for run in runs)

    return found


def _zones(_: Api, prefix: str) -> Iterator[str]:
    return (zone for zone in sorted(available_timezones()) if zone.startswith(prefix))


KINDS: Mapping[str, Callable[[Api, str], Iterator[str]]] = {
    "jobs": _jobs,
    "runs": _runs(),
    "active": _runs("queued", "running"),
    "unsuccessful": _runs(*UNSUCCESSFUL),
    "zones": _zones,
}


def kind_of(command: str, action: Action) -> str:
    """Return which names an argument of a command takes: one of KINDS, "file", or "" for none."""
    if action.dest == "timezone":
        return "zones"
    if command == "add":  # a name that is not there yet
        return ""
    kinds = {"JOB": "jobs", "RUN": RUNS.get(command, "runs"), "FILE": "file"}
    return kinds.get(str(action.metavar), "")


def add_command(subparsers: Any) -> None:
    """Add it without a help, so that none shows it."""
    parser: ArgumentParser = subparsers.add_parser("names")
    parser.add_argument("kind", choices=tuple(KINDS))
    parser.add_argument("typed", nargs=REMAINDER)
    parser.set_defaults(run=names, deadline=DEADLINE)


def as_typed(options: dict[str, Any]) -> None:
    """Take the connection from the words that are typed so far, where they say one."""
    words = options.get("typed")
    if not words:
        return
    parser = ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    add_endpoint(parser)
    with suppress(ArgumentError):  # of an option whose value comes next
        found, _ = parser.parse_known_args(_words(words))
        options.update((name, value) for name, value in vars(found).items() if value)


def _begun(options: Namespace) -> str:
    """Return the word at the cursor, or the value in it."""
    word = _words(options.typed)[-1] if options.typed else ""
    return word.partition("=")[2] if word.startswith("--") else word


def _words(words: Sequence[str]) -> list[str]:
    """Return the words as the shell would give them to the command; they may not be complete."""
    return [_unquoted(word) for word in words]


def _unquoted(word: str) -> str:
    try:
        return "".join(shlex.split(word))
    except ValueError:
        return word.lstrip("\"'")
