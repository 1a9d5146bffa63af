"""`manage.py scheduler rebuild-rollups`: it asks the database, not a server."""

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import OutputWrapper

from scheduler_app.ledger import rollups
from scheduler_app.models import RollupState, database
from scheduler_app.text import printable

PAUSE = 0.05
"""Seconds between two steps, in which schedulers write."""


def add_command(commands: Any) -> None:
    """Add it to a command's subparsers, with `local` as the function that carries it out."""
    rebuild: ArgumentParser = commands.add_parser(
        "rebuild-rollups",
        help="Count what the pages say of each hour and week again from the runs that are kept.",
    )
    rebuild.add_argument(
        "--check",
        action="store_true",
        help="Change nothing; exit with 1 if a figure is wrong. For a time when nothing runs.",
    )
    rebuild.set_defaults(local=_rebuild)


def _rebuild(stdout: OutputWrapper, stderr: OutputWrapper, *, check: bool, **_: Any) -> None:
    if check:
        _check(stdout)
        return
    since = rollups.rebuild()
    stdout.write(f"Counting again all runs that ended since {since:%Y-%m-%d %H:%M} UTC.")
    while rollups.work() or _is_left():
        time.sleep(PAUSE)
    stdout.write("Done.")


def _is_left() -> bool:
    """Return whether a scheduler counts in our place just now."""
    return RollupState.objects.filter(recount_from__isnull=False).exists()


def _check(stdout: OutputWrapper) -> None:
    number = 0
    with database.snapshot():
        for (name, hour), found in rollups.differences():
            number += 1
            figures = ", ".join(f"{key} {have} not {want}" for key, (have, want) in found.items())
            stdout.write(printable(f"{name}, {hour:%Y-%m-%d %H:%M} UTC: {figures}"))
    stdout.write(f"{number} hours differ." if number else "All hours agree with the runs.")
    if number:
        raise SystemExit(1)
