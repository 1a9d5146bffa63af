"""The test settings, with the jobs of this package and a database that is the test's own."""

import os

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES
from tests.settings import INSTALLED_APPS as PROJECT_APPS

INSTALLED_APPS = [*PROJECT_APPS, "tests.backends.isolated_app"]
if "ISOLATED_DATABASE" in os.environ:
    DATABASES["default"]["NAME"] = os.environ["ISOLATED_DATABASE"]
