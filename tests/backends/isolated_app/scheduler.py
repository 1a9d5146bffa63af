"""A process that has one job carried out, tells what it reports, and is killed by a test."""

import sys
import threading
import time
from datetime import UTC, datetime

import django

django.setup()

from scheduler_app.backends.process import Isolation  # noqa: E402
from scheduler_app.cron import Schedule  # noqa: E402
from scheduler_app.execution.bounded_log import RunLog  # noqa: E402
from scheduler_app.registry import JobContext, JobDefinition  # noqa: E402

definition = JobDefinition(name=sys.argv[1], function=print, schedule=Schedule("@yearly"))
context = JobContext(job_name=sys.argv[1], run_id=1, scheduled_for=datetime.now(UTC))
threading.Thread(
    target=Isolation().execute,
    args=(definition, context, RunLog(1000)),
    kwargs={"timeout": None, "cancel_grace": 1},
    daemon=True,
).start()
while not context.reported:
    time.sleep(0.01)
print("worker", context.reported["pid"], flush=True)
time.sleep(60)
