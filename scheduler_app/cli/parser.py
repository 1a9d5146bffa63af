"""What can be typed after `manage.py scheduler` and `schedulerctl`."""

import json
import os
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from scheduler_app.cli import acting, history, looking, planning, times
from scheduler_app.cli.api import Api
from scheduler_app.cli.output import Output
from scheduler_app.cli.typos import suggest
from scheduler_app.rpc.endpoint import Proof
from scheduler_app.text import is_storable, shown

NOTHING: Mapping[str, str] = MappingProxyType({})
OVERLAPS = ("skip", "allow", "queue", "cancel_previous")
JOB_STATES = ("broken", "paused", "overdue", "running", "interrupted", "orphaned", "idle")
STATES = ("queued", "running", "success", "failed", "cancelled", "lost", "skipped", "missed")


Command = Callable[[Api, Namespace, Output], int]
"""Asks the API, writes what it answers, and returns the exit code."""
CONNECTION = ("endpoint", "token", "ca", "cert", "key")


def add_endpoint(parser: ArgumentParser, configured: Mapping[str, str] = NOTHING) -> None:
    """Add where the server is, and what is shown to it. By default all are the environment's, or
    as configured."""
    for name, metavar, help_text in (
        ("endpoint", "URL", "The gRPC server: http://, https://HOST:PORT or unix:/PATH."),
        (
            "token",
            "TOKEN",
            "What proves who you are; other users can see it here, not in the environment.",
        ),
        ("ca", "FILE", "The certificates (PEM) by which the server's is verified."),
        ("cert", "FILE", "A certificate (PEM) of your own, if the server asks for one."),
        ("key", "FILE", "The key (PEM) of that certificate."),
    ):
        variable = f"SCHEDULER_{name.upper()}"
        parser.add_argument(
            f"--{name}",
            default=os.environ.get(variable) or configured.get(name),
            type=text,
            metavar=metavar,
            help=f"{help_text} By default the environment's {variable}.",
        )


def proof_of(options: dict[str, Any]) -> Proof:
    """Take what is shown to the server out of these options."""
    token, ca, cert, key = (options.pop(name) or "" for name in ("token", "ca", "cert", "key"))
    return Proof(token, ca, cert, key)


def add_commands(subparsers: Any) -> None:
    """Add all commands that ask the API. Each sets `run` to the function that carries it out."""
    _add_looking(subparsers)
    _add_acting(subparsers)
    _add_history(subparsers)
    _add_schedules(subparsers)


def _add(subparsers: Any, name: str, command: Command, help_text: str) -> ArgumentParser:
    parser: ArgumentParser = subparsers.add_parser(name, help=help_text, description=help_text)
    parser.set_defaults(run=command)
    suggest(parser)
    return parser


def _add_looking(subparsers: Any) -> None:
    status = _add(subparsers, "status", looking.status, "Show the scheduler and all jobs.")
    status.add_argument("--failing", action="store_true", help=FAILING)
    form = status.add_mutually_exclusive_group()
    _add_json(form, "the GetSchedulerStatusResponse in one object, and its source")
    form.add_argument(
        "--watch",
        nargs="?",
        type=_seconds,
        const=2.0,
        metavar="SECONDS",
        help="Again and again, every 2 seconds unless told otherwise, until Ctrl-C.",
    )
    jobs = _add(subparsers, "list", looking.list_jobs, "List jobs.")
    jobs.add_argument("--state", type=str.lower, choices=JOB_STATES, help="Those in this state.")
    jobs.add_argument("--prefix", type=text, help="Those whose names begin so.")
    jobs.add_argument("--app", type=text, help=APP)
    jobs.add_argument("--failing", action="store_true", help=FAILING)
    _add_json(jobs, "a JobStatusProto a line")
    watch = _add(subparsers, "watch", history.watch, "Show what happens, as it happens.")
    watch.add_argument("jobs", metavar="JOB", nargs="*", type=text, help="To these jobs alone.")
    _add_json(watch, "an Event a line, without what it lacks, and whether it is of the snapshot")
    show = _add(subparsers, "show", looking.show, "Show a job and its last runs.")
    show.add_argument("job", metavar="JOB", type=text)
    _add_json(show, "a JobStatusProto")
    nodes = _add(subparsers, "nodes", looking.nodes, "List the scheduler processes.")
    nodes.add_argument("--all", action="store_true", help="Those that are stopped, too.")
    _add_json(nodes, "a Node a line")
    health = _add(
        subparsers,
        "health",
        looking.health,
        "Say in a line whether jobs run; exit with 1 if they do not. For probes.",
    )
    health.add_argument(
        "--max-lag",
        type=_lag,
        default=timedelta(seconds=60),
        metavar="TIME",
        help="How long a job may be due (default: 60 seconds).",
    )
    _add_json(health, "healthy, state, problem, lag (seconds) and the late_job, if one is")


FAILING = "Only jobs whose last outcome is not a success."
APP = "Those that the code of this Django app declares."


def _add_acting(subparsers: Any) -> None:
    for name, command, help_text in (
        ("pause", acting.pause, "Stop firing a job; a running run continues."),
        ("resume", acting.resume, "Fire a paused job again."),
    ):
        parser = _add(subparsers, name, command, help_text)
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("job", metavar="JOB", nargs="?", type=text)
        which.add_argument("--all", action="store_true", help="All jobs.")
        which.add_argument("--app", type=text, help=APP)
        which.add_argument("--prefix", type=text, help="Those whose names begin so.")
        _add_reason(parser)
        if name == "pause":
            end = parser.add_mutually_exclusive_group()
            end.add_argument(
                "--for",
                dest="duration",
                type=times.span,
                metavar="TIME",
                help="Resume by itself after this time, such as 2h.",
            )
            end.add_argument(
                "--until",
                type=times.future,
                metavar="TIME",
                help='Resume by itself at this time, such as 18:00 or "tomorrow 06:00".',
            )
        else:
            parser.add_argument(
                "--catch-up",
                choices=("skip", "once", "all"),
                default="skip",
                help="Which occurrences of the pause to run now (default: skip, none).",
            )
            _add_dry_run(parser)
    override = _add(
        subparsers,
        "set",
        acting.override,
        "Have another schedule, or other policies, be in force than the code declares.",
    )
    override.add_argument("job", metavar="JOB", type=text)
    _add_settable(override)
    add = _add(subparsers, "add", acting.add, "Add a job that no code declares.")
    add.add_argument("job", metavar="JOB", type=text)
    calls = add.add_mutually_exclusive_group(required=True)
    calls.add_argument(
        "--function",
        type=text,
        metavar="PATH",
        help="A function that the code offers, such as shop.jobs.send_report.",
    )
    calls.add_argument("--command", type=text, help="A management command that settings allow.")
    add.add_argument(
        "--arg",
        dest="arguments",
        action="append",
        default=[],
        type=_argument,
        metavar="NAME=VALUE",
        help="A keyword argument of the function; JSON, or else text.",
    )
    add.add_argument(
        "--word",
        dest="words",
        action="append",
        default=[],
        type=text,
        metavar="WORD",
        help="What follows the command, a word each: --word=--days --word=3.",
    )
    add.add_argument("--description", default="", type=text)
    _add_settable(add)
    delete = _add(
        subparsers,
        "delete",
        acting.delete,
        "Delete a job that was added, or that no code declares any more; its history stays.",
    )
    delete.add_argument("job", metavar="JOB", type=text)
    revert = _add(
        subparsers, "revert", acting.revert, "Have the code decide again of what was set."
    )
    revert.add_argument("job", metavar="JOB", type=text)
    for parser in (override, add, delete, revert):
        _add_reason(parser)
    backfill = _add(
        subparsers, "backfill", acting.backfill, "Run the occurrences of a period again."
    )
    backfill.add_argument("job", metavar="JOB", type=text)
    backfill.add_argument(
        "--from",
        dest="since",
        required=True,
        type=times.moment,
        metavar="TIME",
        help=f"The beginning of the period, {times.FORMS}.",
    )
    backfill.add_argument(
        "--to", dest="until", type=times.moment, metavar="TIME", help="Its end (default: now)."
    )
    backfill.add_argument("--all", action="store_true", help="Those that succeeded, too.")
    backfill.add_argument(
        "--together", action="store_true", help="At once, not one after the other."
    )
    _add_dry_run(backfill)
    _add_reason(backfill)
    _add_json(backfill, "a BackfillJobResponse")
    run = _add(subparsers, "run", acting.run, "Run a job now, of a paused job too.")
    run.add_argument("job", metavar="JOB", type=text)
    run.add_argument(
        "--arg",
        dest="arguments",
        action="append",
        default=[],
        type=_argument,
        metavar="NAME=VALUE",
        help="A keyword argument for this run alone; JSON, or else text.",
    )
    run.add_argument(
        "--overlap",
        choices=OVERLAPS,
        metavar="POLICY",
        help="What happens if the job has runs that have not ended: queue (this one waits for "
        "them), allow (it starts beside them), skip (it is refused) or cancel_previous. By default "
        "it waits, unless the job's own policy is allow.",
    )
    retry = _add(
        subparsers, "retry", acting.retry, "Run again what failed, was lost or did not run."
    )
    retry.add_argument("run_id", metavar="RUN", type=_run_id)
    for parser in (run, retry):
        _add_reason(parser)
        parser.add_argument(
            "--wait",
            action="store_true",
            help="Follow it until it has ended: print its log as it comes, show on a terminal how "
            "far it is, and exit with 1 unless it is a success.",
        )
        _add_json(parser, "the Run")
    cancel = _add(
        subparsers, "cancel", acting.cancel, "End a run early; status tells which are going."
    )
    cancel.add_argument("run_id", metavar="RUN", type=_run_id)
    _add_reason(cancel)


def _add_settable(parser: ArgumentParser) -> None:
    for option, dest, kind, help_text in (
        ("schedule", "schedule", text, 'Such as "0 2 * * 1-5" or "@every 5m".'),
        ("tz", "timezone", text, "Such as Europe/Berlin."),
        ("jitter", "jitter_seconds", _number, "Seconds."),
        ("catch-up", "catch_up", text, "skip, once or all."),
        ("catch-up-limit", "catch_up_limit", _number, "How many occurrences at most."),
        ("retries", "retries", _number, "How often."),
        ("retry-delay", "retry_delay_seconds", float, "Seconds."),
        ("retry-max-delay", "retry_max_delay_seconds", float, "Seconds."),
        ("pause-on-failure", "pause_on_failure", _number, "After how many failures in a row."),
        ("overlap", "overlap", text, "skip, allow, queue or cancel_previous."),
        ("timeout", "timeout_seconds", float, "Seconds; 0 for none."),
        ("isolated", "isolated", _yes_or_no, "yes: each run has a process of its own; or no."),
    ):
        parser.add_argument(
            f"--{option}", dest=dest, type=kind, metavar=option.upper(), help=help_text
        )


def _add_history(subparsers: Any) -> None:
    runs = _add(subparsers, "runs", history.runs, "List runs, the latest first.")
    runs.add_argument("job", metavar="JOB", nargs="?", type=text)
    runs.add_argument(
        "--failed", action="store_true", help="Those that failed, were lost or were missed."
    )
    runs.add_argument(
        "--state", dest="states", action="append", default=[], choices=STATES, help="Repeatable."
    )
    runs.add_argument("--grep", type=text, metavar="TEXT", help="With this text in the message.")
    audit = _add(subparsers, "audit", history.audit, "List what people did, the latest first.")
    audit.add_argument("job", metavar="JOB", nargs="?", type=text)
    audit.add_argument("--actor", type=text, metavar="NAME", help="What this person did.")
    for parser in (runs, audit):
        for bound, help_text in (("since", "At or after this time"), ("until", "Before this time")):
            parser.add_argument(
                f"--{bound}", type=times.moment, metavar="TIME", help=f"{help_text}, {times.FORMS}."
            )
        parser.add_argument(
            "--limit", type=_limit, default=50, metavar="N", help="N at most (default: 50)."
        )
    _add_json(runs, "a Run a line")
    _add_json(audit, "an AuditEvent a line")
    logs = _add(subparsers, "logs", history.logs, "Print the log of a run.")
    logs.add_argument("run_id", metavar="RUN", type=_run_id)
    form = logs.add_mutually_exclusive_group()
    form.add_argument(
        "--follow", action="store_true", help="Print it as it comes, until the run has ended."
    )
    _add_json(form, "the Run")


def _add_schedules(subparsers: Any) -> None:
    upcoming = _add(subparsers, "next", planning.upcoming, "List what runs next.")
    upcoming.add_argument(
        "within",
        nargs="?",
        type=times.span,
        default=timedelta(hours=2),
        metavar="TIME",
        help="Within this time, such as 30m or 1d (default: 2h).",
    )
    _add_json(upcoming, "a line for each with due_time, job_name, note and how many more follow")
    explain = _add(
        subparsers, "explain", planning.explain, "Tell why a job did, did not or will run."
    )
    explain.add_argument("job", metavar="JOB", type=text)
    explain.add_argument(
        "moment",
        type=times.wall,
        metavar="TIME",
        help='Such as 2026-11-24T01:00 or "yesterday 01:00", on the job\'s own clock unless an '
        "offset is given.",
    )
    _add_json(explain, "an ExplainRunResponse")
    preview = _add(subparsers, "preview", planning.preview, "Tell when a schedule fires next.")
    which = preview.add_mutually_exclusive_group(required=True)
    which.add_argument("schedule", nargs="?", type=text, help='Such as "0 2 * * 1-5".')
    which.add_argument("--job", type=text, metavar="JOB", help="The schedule of this job.")
    preview.add_argument(
        "--tz", dest="timezone", type=text, metavar="ZONE", help="Such as Europe/Berlin."
    )
    preview.add_argument("-n", dest="count", type=_limit, default=10, help="How many (10).")
    preview.add_argument(
        "--after", type=times.moment, metavar="TIME", help="After this time, not from now on."
    )
    _add_json(preview, "a PreviewScheduleResponse")


def _add_json(parser: Any, what: str) -> None:
    parser.add_argument("--json", dest="as_json", action="store_true", help=f"As JSON: {what}.")


def _add_dry_run(parser: ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="Only tell what would be run.")


def _add_reason(parser: ArgumentParser) -> None:
    parser.add_argument("--reason", default="", type=text, help="Kept in the audit log.")


def text(value: str) -> str:
    """Return an argument that any database and any message takes; raises ArgumentTypeError."""
    if not is_storable(value):
        raise ArgumentTypeError(f"{shown(value)} is not valid text")
    return value


def _argument(value: str) -> tuple[str, Any]:
    name, equals, given = text(value).partition("=")
    if not (equals and name.isidentifier()):
        raise ArgumentTypeError(f"{shown(value)} is not NAME=VALUE")
    try:
        return name, json.loads(given)
    except ValueError:
        return name, given


def _seconds(value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 3600:
        raise ArgumentTypeError(f"{shown(value)} is not a number of seconds from 0.1 to 3600")
    return seconds


def _lag(value: str) -> timedelta:
    return timedelta(seconds=_seconds(value)) if value[-1:].isdecimal() else times.span(value)


def _run_id(value: str) -> int:
    return _whole(value, 2**63 - 1, "the number of a run")


def _limit(value: str) -> int:
    return _whole(value, 1_000_000, "a number from 1 to 1,000,000")


def _yes_or_no(value: str) -> bool:
    if value not in ("yes", "no"):
        raise ArgumentTypeError(f"{shown(value)} is neither yes nor no")
    return value == "yes"


def _number(value: str) -> int:
    if value == "0":
        return 0
    return _whole(value, 2**31 - 1, "a whole number of 0 or more")


def _whole(value: str, most: int, what: str) -> int:
    is_number = value.isascii() and value.isdecimal() and len(value) < 20
    if not (is_number and 0 < int(value) <= most):
        raise ArgumentTypeError(f"{shown(value)} is not {what}")
    return int(value)
