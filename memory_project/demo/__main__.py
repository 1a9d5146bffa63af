"""What `make demo` does: a shop's installation with a month of history on SQLite in a file of its
own, made anew each time; then web, scheduler and gRPC, as `make run` starts them, until Ctrl-C."""

import argparse
import os
import secrets
import socket
import sys
from pathlib import Path

import django
from django.core.management import call_command

from memory_project import run

PERMISSIONS = {
    "operator": ("pause_job", "resume_job", "trigger_job", "cancel_jobrun"),
    "viewer": (),
}
"""Whom there is besides `admin`, and what each may do besides viewing."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m memory_project.demo", description=__doc__)
    parser.add_argument("--days", type=float, default=29, help="how long the history is (29)")
    parser.add_argument("--database", type=Path, default=run.ROOT / "demo.sqlite3", metavar="FILE")
    options = parser.parse_args()
    if not run.ENV_FILE.exists() and "SECRET_KEY" not in os.environ:
        run.write_env()
    if is_taken(port := os.environ.get("WEB_PORT", "8000")):
        print(f"Port {port} is taken: stop what listens there, or set WEB_PORT.", file=sys.stderr)
        return 1
    os.environ["DEMO_DATABASE"] = f"sqlite:///{options.database.resolve()}"
    os.environ["DJANGO_SETTINGS_MODULE"] = "memory_project.demo.settings"
    for suffix in ("", "-wal", "-shm"):
        Path(f"{options.database}{suffix}").unlink(missing_ok=True)
    django.setup()
    call_command("migrate", verbosity=0)
    print(f"Writing {options.days:g} days of history, about half a minute at most ...", flush=True)
    print(f"{fill(options.days):,} runs of 40 jobs.")
    print(run.addresses())
    print(sign_ins(), flush=True)
    return run.start()


def is_taken(port: str) -> bool:
    """Return whether something listens there already: its database must not be deleted."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(port))) == 0


def fill(days: float) -> int:
    """Write the history, and ask for a run that will hang; return how many runs there are."""
    from memory_project.demo import history
    from memory_project.demo.declare import declare
    from memory_project.demo.people import HANGS, OPERATOR
    from memory_project.demo.work import MARKETPLACE_THAT_HANGS
    from scheduler_app import control
    from scheduler_app.registry import Registry

    shop = Registry()  # without the housekeeping jobs, which have no history
    declare(shop)
    runs = history.write(shop, days=days)
    control.trigger(HANGS, by=OPERATOR, arguments={"marketplace": MARKETPLACE_THAT_HANGS})
    return runs


def sign_ins() -> str:
    """Create the users; return how each signs in."""
    from django.contrib.auth.models import Permission, User

    ours = Permission.objects.filter(content_type__app_label="scheduler_app")
    lines = [run.sign_in()]
    for name, more in PERMISSIONS.items():
        password = secrets.token_urlsafe(12)
        user = User.objects.create_user(name, password=password, is_staff=True)
        views = ours.filter(codename__startswith="view_")
        user.user_permissions.set(views | ours.filter(codename__in=more))
        lines.append(f"         {name} / {password}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
