"""The project's settings for tests: a secret key that is none, and the database to test on.

TEST_DATABASE=postgres runs the tests on the server at TEST_POSTGRES_URL instead of SQLite, where
each run of pytest has a file of its own."""

import os
import tempfile

os.environ.setdefault("SECRET_KEY", "for tests only")
os.environ.setdefault("LOOPBACK_CONTROL", "true")  # the seed's clients know no tokens
if os.environ.get("TEST_DATABASE") == "postgres":
    os.environ["DATABASE_URL"] = os.environ.get(
        "TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres"
    )
else:
    os.environ.pop("DATABASE_URL", None)
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    os.environ.setdefault("TEST_SQLITE", f"{tempfile.gettempdir()}/scheduler-test-{run}.sqlite3")

from memory_project.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
