"""What `make run` does: a `.env` with a secret key, the tables and a first user whose password is
printed once; then all that the Procfile names, until Ctrl-C."""

import os
import secrets
import sys
from pathlib import Path

import django
import honcho.manager
from django.core.management import call_command
from django.core.management.utils import get_random_secret_key
from honcho.environ import parse_procfile

ROOT = Path(__file__).resolve().parent.parent
ENV_FILE = ROOT / ".env"
MARGIN = 15
"""Seconds that a scheduler may need at its stop beyond the shutdown timeout."""


def main() -> int:
    if not ENV_FILE.exists() and "SECRET_KEY" not in os.environ:
        write_env()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "memory_project.settings")
    django.setup()
    call_command("migrate", verbosity=0)
    print("Admin:  http://127.0.0.1:{}/admin/".format(os.environ.get("WEB_PORT", "8000")))
    print("gRPC:   {}".format(os.environ.get("GRPC_ADDRESS", "127.0.0.1:50051")))
    print(sign_in(), flush=True)
    return start()


def write_env() -> None:
    """Only its owner may read it."""
    descriptor = os.open(ENV_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"SECRET_KEY='{get_random_secret_key()}'\nDEBUG=true\n")


def sign_in() -> str:
    """Create the user `admin` if there is no superuser yet; how to sign in."""
    from django.contrib.auth.models import User

    if User.objects.filter(is_superuser=True).exists():
        return "Sign in with the password printed at the first run, or `manage.py changepassword`."
    password = secrets.token_urlsafe(12)
    User.objects.create_superuser("admin", password=password)
    return f"Sign in: admin / {password}   (printed this once)"


def start() -> int:
    """Run the Procfile's processes until one ends or the user stops them; the exit code.

    Not by honcho's own command: it reads `.env` by rules of its own and lets it override the
    environment, and it kills after 5 s a scheduler that waits for its runs."""
    from scheduler_app.conf import scheduler_settings

    honcho.manager.KILL_WAIT = scheduler_settings().shutdown_timeout + MARGIN
    manager = honcho.manager.Manager()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    environment = os.environ | {"PATH": path, "PYTHONUNBUFFERED": "1"}
    for name, command in parse_procfile((ROOT / "Procfile").read_text()).processes.items():
        manager.add_process(name, command, env=environment, cwd=str(ROOT))
    manager.loop()
    stopped = {details["rc"] for details in honcho.manager.SIGNALS.values()}
    return 0 if manager.returncode in stopped else int(manager.returncode)


if __name__ == "__main__":
    sys.exit(main())
