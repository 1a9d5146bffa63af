"""The project's settings, with the shop's jobs, on a database of their own."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
os.environ["DATABASE_URL"] = os.environ.get("DEMO_DATABASE", f"sqlite:///{ROOT}/demo.sqlite3")

from memory_project.settings import *  # noqa: F403
from memory_project.settings import INSTALLED_APPS as PROJECT_APPS

INSTALLED_APPS = [*PROJECT_APPS, "memory_project.demo"]
