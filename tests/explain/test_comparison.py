"""Whether a job is slow, late or failing, compared with what is usual."""

from datetime import UTC, datetime, timedelta

import pytest

from scheduler_app.explain.comparison import of_few
from scheduler_app.models import RunState
from scheduler_app.status.recent import RecentRun
from scheduler_app.status.usual import NOTHING

NOW = datetime(2026, 11, 27, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def run(took: float | None, state: RunState = RunState.SUCCESS, late: float = 0) -> RecentRun:
    started = None if took is None else NOW + late * SECOND
    ended = (started or NOW) + (took or 0) * SECOND
    return RecentRun(1, "a", state, NOW, NOW, started, ended)


def test_nothing_is_known_without_runs() -> None:
    assert of_few([]) == NOTHING
    assert of_few([run(None, RunState.SKIPPED)]) == NOTHING


def test_percentiles_of_few_runs_are_values_of_theirs() -> None:
    figures = of_few([run(seconds) for seconds in range(1, 21)])
    assert (figures.duration_p50, figures.duration_p95) == (10 * SECOND, 19 * SECOND)
    assert figures.measured == 20


def test_durations_are_those_of_successes() -> None:
    figures = of_few([run(10), run(1, RunState.FAILED), run(1, RunState.CANCELLED)])
    assert figures.duration_p50 == 10 * SECOND


@pytest.mark.parametrize(
    ("states", "rate"),
    [
        ([RunState.SUCCESS] * 3 + [RunState.FAILED], 0.75),
        ([RunState.SUCCESS, RunState.LOST], 0.5),
        ([RunState.SUCCESS, RunState.CANCELLED], 1.0),
        ([RunState.CANCELLED], None),
    ],
)
def test_success_rate(states: list[RunState], rate: float | None) -> None:
    assert of_few([run(1, state) for state in states]).success_rate == rate


def test_lateness_is_never_below_zero() -> None:
    assert of_few([run(1, late=-5)]).lateness_p95 == timedelta()
