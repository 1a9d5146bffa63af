"""The test settings with the hostile jobs, on the database that the test runs on."""

import os

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES
from tests.settings import INSTALLED_APPS as PROJECT_APPS

INSTALLED_APPS = [*PROJECT_APPS, "tests.execution.hostile"]
DATABASES["default"]["NAME"] = os.environ["HOSTILE_DATABASE"]
