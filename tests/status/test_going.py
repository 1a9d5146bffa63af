"""What runs now."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from scheduler_app.models import Job, JobRun, Node, RunProgress, RunState
from scheduler_app.status import going as goings
from scheduler_app.status.going import Pace, going, pace
from scheduler_app.status.usual import Usual

pytestmark = pytest.mark.django_db
Add = Callable[..., JobRun]
NOW = timezone.now()
MINUTE = timedelta(minutes=1)


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def test_running_runs_the_oldest_first(add_ended: Add) -> None:
    old = add_ended("b", NOW - 9 * MINUTE, RunState.RUNNING)
    new = add_ended("a", NOW - MINUTE, RunState.RUNNING)
    add_ended("c", NOW)
    found = going(NOW, [])
    assert [run.id for run in found.runs] == [old.pk, new.pk]
    assert (found.running, found.waiting, found.later) == (2, 0, 0)


def test_what_waits_is_counted_apart(add_ended: Add) -> None:
    add_ended("a", NOW - MINUTE, RunState.QUEUED)
    add_ended("b", NOW + MINUTE, RunState.QUEUED)
    add_ended("c", NOW + 2 * MINUTE, RunState.QUEUED)
    found = going(NOW, [])
    assert (found.runs, found.running, found.waiting, found.later) == ((), 0, 1, 2)


def test_run_of_a_dead_node_is_interrupted(add_ended: Add) -> None:
    dead, alive = (Node.objects.create(name=name) for name in ("dead:1", "alive:2"))
    add_ended("a", NOW, RunState.RUNNING, node=dead)
    add_ended("b", NOW, RunState.RUNNING, node=alive)
    add_ended("c", NOW, RunState.RUNNING)
    runs = going(NOW, [alive.pk]).runs
    assert [(run.node, run.is_interrupted) for run in runs] == [
        ("dead:1", True),
        ("alive:2", False),
        ("", False),
    ]


def test_job_with_a_process_of_its_own_says_so(
    add_ended: Add, make_job: Callable[..., Job]
) -> None:
    make_job("isolated", isolated=True)
    make_job("limited", timeout=5.0)
    make_job("thread")
    for name in ("isolated", "limited", "thread", "gone"):
        add_ended(name, NOW, RunState.RUNNING)
    found = {run.job_name: run.has_process for run in going(NOW, []).runs}
    assert found == {"isolated": True, "limited": True, "thread": False, "gone": False}


def test_more_than_are_listed_are_counted(add_ended: Add, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(goings, "MOST_RUNS", 2)
    for number in range(5):
        add_ended(f"job-{number}", NOW, RunState.RUNNING)
    add_ended("late", NOW - MINUTE, RunState.QUEUED)
    found = going(NOW, [])
    assert (len(found.runs), found.running, found.waiting) == (2, 5, 1)


def test_what_a_run_has_said_so_far_is_its_live_row(add_ended: Add) -> None:
    run = add_ended("a", NOW, RunState.RUNNING, metadata={"old": 1})
    RunProgress.objects.create(
        run=run,
        run_created_at=run.created_at,
        at=NOW,
        metadata={"rows": 7},
        progress={"done": 1, "total": 4, "text": "reading"},
    )
    [found] = going(NOW, []).runs
    assert found.metadata == {"rows": 7}
    assert (found.progress.percent, found.progress.text) == (25, "reading")


def test_one_query(add_ended: Add) -> None:
    for number in range(5):
        node = Node.objects.create(name="here:1")
        run = add_ended(f"job-{number}", NOW, RunState.RUNNING, node=node)
        if number % 2:
            RunProgress.objects.create(run=run, run_created_at=run.created_at, at=NOW)
    with CaptureQueriesContext(connection) as captured:
        going(NOW, [])
    assert len(captured) == 1


@pytest.mark.parametrize(
    ("elapsed", "found"), [(60, Pace.USUAL), (70, Pace.SLOW), (180, Pace.SLOW), (210, Pace.STUCK)]
)
def test_pace(elapsed: float, found: Pace) -> None:
    usual = Usual(9, seconds(40), seconds(60), None, None, 1.0, measured=9)
    assert pace(seconds(elapsed), usual) == found


def test_pace_of_a_job_of_which_nothing_is_known_is_usual() -> None:
    assert pace(timedelta(days=1), None) == Pace.USUAL
