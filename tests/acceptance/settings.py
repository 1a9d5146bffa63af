"""The project's settings with a user's app beside them."""

from memory_project.settings import *  # noqa: F403
from memory_project.settings import INSTALLED_APPS as PROJECT_APPS

INSTALLED_APPS = [*PROJECT_APPS, "tests.acceptance.night"]
