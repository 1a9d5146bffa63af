"""Declares the jobs of the soak."""

from scheduler_app import job
from tests.soak.app import work
from tests.soak.declared import JOBS

for declared in JOBS:
    job(cron=declared.cron, name=declared.name, timezone=declared.timezone, **declared.policies)(
        getattr(work, declared.work)
    )
