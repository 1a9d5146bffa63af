"""The project's settings with sick jobs beside them, short heartbeats, and a log handler that fails
when it is told to."""

import json
import os
from typing import Any

from memory_project.settings import *  # noqa: F403
from memory_project.settings import DATABASES, LOGGING
from memory_project.settings import INSTALLED_APPS as PROJECT_APPS

INSTALLED_APPS = [*PROJECT_APPS, "tests.liveness.sick"]
SCHEDULER = {"loopback_control": True, "heartbeat": 1, "shutdown_timeout": 2} | json.loads(
    os.environ.get("SICK", "{}")
)
if os.environ.get("SICK_LOGGING"):
    logging: Any = LOGGING
    logging["handlers"]["away"] = {"class": "tests.liveness.sick.logs.Away"}
    logging["root"]["handlers"] = ["console", "away"]
if "SICK_START" in os.environ:
    GRPC_FRAMEWORK = {"ROOT_HANDLERS_HOOK": "tests.liveness.sick.start.hang"}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"]["timeout"] = 5
