"""All of the table, declared for processes of their own."""

from scheduler_app import job
from tests.execution.hostile.every import HOSTILE

for name, hostile in HOSTILE.items():
    job(cron="@yearly", name=name, isolated=True)(hostile.function)
