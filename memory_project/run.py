"""What `make run` does: a `.env` with a secret key, the tables and a first user whose password is
printed once; then all that the Procfile names, until Ctrl-C."""

import os
import secrets
import signal
import subprocess
import sys
import threading
from pathlib import Path

import django
from django.core.management import call_command
from django.core.management.utils import get_random_secret_key

ROOT = Path(__file__).resolve().parent.parent
ENV_FILE = ROOT / ".env"
MARGIN = 25
"""Seconds that a scheduler may need at its stop beyond the shutdown timeout."""


def main() -> int:
    if not ENV_FILE.exists() and "SECRET_KEY" not in os.environ:
        write_env()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "memory_project.settings")
    django.setup()
    call_command("migrate", verbosity=0)
    print(addresses())
    print(sign_in(), flush=True)
    return start()


def addresses() -> str:
    """Return where the admin and gRPC are."""
    web = os.environ.get("WEB_PORT", "8000")
    grpc = os.environ.get("GRPC_ADDRESS", "127.0.0.1:50051")
    return f"Admin:  http://127.0.0.1:{web}/admin/\ngRPC:   {grpc}"


def write_env() -> None:
    """Only its owner may read it."""
    descriptor = os.open(ENV_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"SECRET_KEY='{get_random_secret_key()}'\nDEBUG=true\nLOOPBACK_CONTROL=true\n")


def sign_in() -> str:
    """Create the user `admin` if there is no superuser yet; how to sign in."""
    from django.contrib.auth.models import User

    if User.objects.filter(is_superuser=True).exists():
        return "Sign in with the password printed at the first run, or `manage.py changepassword`."
    password = secrets.token_urlsafe(12)
    User.objects.create_superuser("admin", password=password)
    return f"Sign in: admin / {password}   (printed this once)"


def start() -> int:
    """Run the Procfile's processes until one ends or a signal comes; return the exit code.

    Each has a session of its own, so that Ctrl-C reaches them through this process alone, once."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    processes = [_started(command) for command in commands()]
    while not stop.wait(0.2) and all(process.poll() is None for process in processes):
        pass
    codes = [_stopped(process) for process in processes]
    return next((code for code in codes if code), 0)


def commands() -> list[str]:
    """Return the Procfile's commands, without their names."""
    lines = (ROOT / "Procfile").read_text().splitlines()
    return [line.partition(":")[2].strip() for line in lines if line.strip()]


def _started(command: str) -> subprocess.Popen[bytes]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    environment = os.environ | {"PATH": path, "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(  # noqa: S603  # the shell fills in the Procfile's variables
        ["/bin/sh", "-c", f"exec {command}"], cwd=ROOT, env=environment, start_new_session=True
    )


def _stopped(process: subprocess.Popen[bytes]) -> int:
    """End the process and return its exit code: 0 if SIGTERM itself has ended it."""
    from scheduler_app.conf import scheduler_settings

    process.terminate()
    try:
        process.wait(scheduler_settings().shutdown_timeout + MARGIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    return 0 if process.returncode == -signal.SIGTERM else process.returncode


if __name__ == "__main__":
    sys.exit(main())
