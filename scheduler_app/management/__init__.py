"""The commands, and what belongs to the processes that they start."""

import sys

from django.apps import apps

from scheduler_app import lacking

if not apps.is_installed("django_apscheduler"):  # the commands cannot even be imported
    sys.exit(f"{lacking.TEXT} {lacking.HINT}")
