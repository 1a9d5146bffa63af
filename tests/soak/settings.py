"""The project's settings, with the jobs of the soak in the place of the project's own."""

import os

from memory_project.settings import *  # noqa: F403
from memory_project.settings import DATABASES, LOGGING
from memory_project.settings import INSTALLED_APPS as PROJECT_APPS

INSTALLED_APPS = [*PROJECT_APPS, "tests.soak.app"]
SCHEDULER = {
    "loopback_control": True,
    "heartbeat": 3.0,
    "shutdown_timeout": 10.0,
    "max_concurrent_runs": 12,
}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"]["timeout"] = 5.0
else:
    DATABASES["default"]["CONN_MAX_AGE"] = int(os.environ.get("SOAK_CONN_MAX_AGE", "0"))
LOGGING["handlers"]["flaky"] = {"class": "tests.soak.app.logs.FlakyHandler"}  # type: ignore[index]
LOGGING["root"]["handlers"].append("flaky")  # type: ignore[index]
