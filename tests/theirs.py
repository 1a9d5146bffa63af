"""A scheduler that a project runs itself on django-apscheduler; here its loop never wakes."""

from typing import Any

from apscheduler.schedulers.base import BaseScheduler
from django_apscheduler.jobstores import DjangoJobStore


class StillScheduler(BaseScheduler):  # type: ignore[misc]
    """With its jobs in the table, and without a thread."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.store = DjangoJobStore()
        self.add_jobstore(self.store)
        self.start(paused=True)

    def shutdown(self, wait: bool = True) -> None:
        """Leave the connection of the test open."""

    def wakeup(self) -> None:
        """Do nothing: nothing sleeps."""
