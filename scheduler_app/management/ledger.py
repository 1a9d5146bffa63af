"""`manage.py scheduler audit-ledger`: it asks the database, not a server."""

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.management.base import OutputWrapper
from django.db import DatabaseError
from django.utils import timezone

from scheduler_app.cli import times
from scheduler_app.cli.output import Output
from scheduler_app.cli.parser import text
from scheduler_app.cli.typos import suggest
from scheduler_app.consistency.check import audit_ledger
from scheduler_app.consistency.report import Discrepancy, Tally
from scheduler_app.models.faults import fault_of
from scheduler_app.rpc.wire import FIRST_YEAR, LAST_YEAR, Values
from scheduler_app.status import scheduler_health
from scheduler_app.text import Clock, printable


def add_command(commands: Any) -> None:
    """Add it to a command's subparsers, with `local` as the function that carries it out."""
    audit: ArgumentParser = commands.add_parser(
        "audit-ledger",
        help="Hold the ledger against the schedules; exit with 1 if they do not agree.",
    )
    for bound, help_text in (
        ("since", "Leave out what was scheduled before this moment."),
        ("until", "Leave out what is scheduled for this moment or later."),
    ):
        audit.add_argument(f"--{bound}", type=_bound, metavar="TIME", help=help_text)
    audit.add_argument(
        "--job", dest="jobs", nargs="+", metavar="JOB", type=text, help="These jobs only."
    )
    audit.add_argument(
        "--json",
        dest="as_json",
        action="store_true",
        help="Each discrepancy as JSON, an object a line; the sum goes to standard error.",
    )
    suggest(audit)
    audit.set_defaults(local=_audit)


def _audit(
    stdout: OutputWrapper,
    stderr: OutputWrapper,
    *,
    since: datetime | None,
    until: datetime | None,
    jobs: list[str] | None,
    as_json: bool,
    **_: Any,
) -> None:
    out, tally = Output(stdout, stderr), Tally()
    for discrepancy in audit_ledger(since, until, jobs, tally):
        if as_json:
            out.json(_values(discrepancy))
        else:
            out.line(printable(str(discrepancy)))
    (out.note if as_json else out.line)(str(tally))
    if problem := _scheduler_problem():
        stderr.write(f"Scheduler: {printable(problem)}")
    if tally.discrepancies:
        raise SystemExit(1)


def _values(found: Discrepancy) -> Values:
    return {
        "job_name": found.job_name,
        "kind": found.kind,
        "text": found.text,
        "time": found.moment,
        "occurrences": found.occurrences,
    }


def _scheduler_problem() -> str:
    """Say why no scheduler works; empty while one does. The ledger of a scheduler that was stopped
    in order agrees, and it agrees or not whether this can be told."""
    try:
        health = scheduler_health()
    except DatabaseError as error:
        return f"unknown: {fault_of(error).value}"
    return "" if health.is_running else health.words(Clock(ZoneInfo(settings.TIME_ZONE)))


def _bound(value: str) -> datetime:
    """Return a bound, read in settings.TIME_ZONE unless the text names a zone. One outside the
    years of which schedules are known becomes their first or last moment."""
    try:
        year = datetime.fromisoformat(value).year
    except ValueError:
        return _aware(times.wall(value))  # or what is wrong
    if year < FIRST_YEAR:
        return datetime(FIRST_YEAR, 1, 1, tzinfo=UTC)
    if year > LAST_YEAR:
        return datetime(LAST_YEAR, 12, 31, tzinfo=UTC)
    return _aware(times.wall(value))


def _aware(moment: datetime) -> datetime:
    aware = moment if timezone.is_aware(moment) else timezone.make_aware(moment)
    return aware.astimezone(UTC)  # PostgreSQL takes no offset of sixteen hours
