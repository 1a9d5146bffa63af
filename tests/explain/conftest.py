"""The engine's parts at moments of the test's choice, to make a ledger of real rows."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from scheduler_app.engine.recorder import record
from scheduler_app.models import JobRun, RunState
from tests.engine.conftest import SetClock, declare, node, registry, set_clock, start

__all__ = ["SetClock", "declare", "node", "registry", "set_clock", "start"]


def begin(runs: Iterable[JobRun], at: datetime) -> None:
    """These claimed runs start."""
    for run in runs:
        record([run], [])
        JobRun.objects.filter(pk=run.pk).update(started_at=at)
        run.started_at = at


def finish(
    runs: Iterable[JobRun],
    state: RunState = RunState.SUCCESS,
    *,
    late: float = 3.2,
    took: float = 12.4,
    message: str = "",
) -> None:
    """These claimed runs start, so many seconds late, and end."""
    for run in runs:
        begin([run], run.due_at + timedelta(seconds=late))
        assert run.started_at is not None
        run.finished_at = run.started_at + timedelta(seconds=took)
        run.state, run.message = state, message
        record([], [run])
