"""What `make run` does before it starts anything: a `.env` with a secret key, the tables, and a
first user whose password is printed once."""

import os
import secrets
from pathlib import Path

import django
from django.core.management import call_command
from django.core.management.utils import get_random_secret_key

ENV_FILE = Path(__file__).resolve().parent.parent / ".env"


def main() -> None:
    if not ENV_FILE.exists():
        write_env()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "memory_project.settings")
    django.setup()
    call_command("migrate", verbosity=0)
    print("Admin:  http://127.0.0.1:{}/admin/".format(os.environ.get("WEB_PORT", "8000")))
    print("gRPC:   {}".format(os.environ.get("GRPC_ADDRESS", "127.0.0.1:50051")))
    print(sign_in())


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


if __name__ == "__main__":
    main()
