"""The project's settings with an app of jobs and faults beside them."""

import os

from memory_project.settings import *  # noqa: F403
from memory_project.settings import DATABASES
from memory_project.settings import INSTALLED_APPS as PROJECT_APPS

INSTALLED_APPS = [*PROJECT_APPS, "tests.chaos.faulty"]
SCHEDULER = {"loopback_control": True, "heartbeat": float(os.environ["CHAOS_HEARTBEAT"])}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"]["timeout"] = float(os.environ["CHAOS_BUSY_TIMEOUT"])
