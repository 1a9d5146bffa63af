"""Runs that have ended, or run, as the readers of status find them."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from scheduler_app.models import JobRun, RunState

NEVER_BEGAN = (RunState.QUEUED, RunState.SKIPPED, RunState.MISSED)
ACTIVE = (RunState.QUEUED, RunState.RUNNING)


@pytest.fixture
def add_ended(db: None) -> Callable[..., JobRun]:
    """Add a run that was due at this moment, began `late` seconds after it and took `took`."""

    def _add(
        name: str,
        due_at: datetime,
        state: RunState = RunState.SUCCESS,
        late: float = 0,
        took: float = 10,
        **fields: object,
    ) -> JobRun:
        begun = due_at + timedelta(seconds=late)
        values: dict[str, object] = {
            "scheduled_for": due_at,
            "due_at": due_at,
            "created_at": due_at,
            "started_at": None if state in NEVER_BEGAN else begun,
            "finished_at": None if state in ACTIVE else begun + timedelta(seconds=took),
        }
        return JobRun.objects.create(job_name=name, state=state, **(values | fields))

    return _add
