"""A run's boundary: whatever a job is, one outcome comes of it, and the next job is not harmed."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection

from scheduler_app.backends import ThreadExecutor
from scheduler_app.backends.process import Isolation
from scheduler_app.engine.dispatcher import Dispatcher
from scheduler_app.engine.recorder import Recorder
from scheduler_app.engine.vitals import Vitals
from scheduler_app.execution import capture
from scheduler_app.models import JobRun, Node, RunState, Trigger
from scheduler_app.registry import Registry, job
from tests.execution.hostile.every import HOSTILE, Hostile

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
"""Threads that hostile jobs have started die, and what they leave open is found later."""

AT = datetime(2026, 1, 1, tzinfo=UTC)
PATIENCE = 5.0
"""How long, in seconds, a run may take to get its outcome."""
logger = logging.getLogger("app")


def innocent() -> dict[str, Any]:
    """Use the database, a log, a stream and an event loop."""
    logger.warning("an innocent line")
    print("an innocent text")
    group = Group.objects.create(name=f"innocent {time.monotonic_ns()}")
    asyncio.run(asyncio.sleep(0))
    return {"written": group.pk}


class Scheduler:
    """One dispatcher with one thread, and the runs that it is given."""

    def __init__(self, registry: Registry, isolation: Isolation) -> None:
        self._executor = ThreadExecutor(1)
        self._dispatcher = Dispatcher(registry, self._executor, isolation, Vitals())
        self._node = Node.objects.create(name="here:1")
        self._dispatcher.start()

    def run(self, name: str) -> JobRun:
        run = JobRun.objects.create(
            job_name=name,
            trigger=Trigger.MANUAL,
            scheduled_for=AT,
            due_at=AT,
            created_at=AT,
            node=self._node,
        )
        self._dispatcher.hand_over([run])
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            run = JobRun.objects.get(pk=run.pk)
            if run.finished_at:
                return run
            time.sleep(0.002)
        return run

    def close(self) -> None:
        self._dispatcher.stop_all()
        self._dispatcher.stop(PATIENCE)
        self._executor.close()


@pytest.fixture
def outcomes(monkeypatch: pytest.MonkeyPatch) -> Counter[int]:
    """How many outcomes have been submitted for each run."""
    submitted: Counter[int] = Counter()
    submit = Recorder.submit

    def count(self: Recorder, starts: Sequence[JobRun], ends: Sequence[JobRun] = ()) -> None:
        submitted.update(run.pk for run in ends)
        submit(self, starts, ends)

    monkeypatch.setattr(Recorder, "submit", count)
    return submitted


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bool], Scheduler]]:
    monkeypatch.setenv("HOSTILE_DATABASE", str(connection.settings_dict["NAME"]))
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.execution.hostile.settings")
    isolation = Isolation()
    started: list[Scheduler] = []

    def _start(isolated: bool) -> Scheduler:
        registry = Registry()
        job(cron="@yearly", registry=registry)(innocent)
        for name, hostile in HOSTILE.items():
            job(cron="@yearly", name=name, isolated=isolated, registry=registry)(hostile.function)
        assert registry.problems == []
        capture.install()  # here: pytest has other streams for fixtures
        started.append(Scheduler(registry, isolation))
        return started[0]

    yield _start
    isolation.close()
    for scheduler in started:
        scheduler.close()
    capture.uninstall()


def faults_of(run: JobRun, state: str, says: str) -> Iterator[str]:
    if run.finished_at is None:
        yield f"has no outcome after {PATIENCE:g} s"
    elif state and run.state != RunState[state]:
        yield f"is {run.state}, not {state}: {run.message[:200]} {run.traceback[-500:]}"
    elif says not in f"{run.message} {run.metadata}":
        yield f"does not say {says!r}: {run.message[:200]} {str(run.metadata)[:200]}"


def faults_of_innocent(run: JobRun) -> Iterator[str]:
    for fault in faults_of(run, "SUCCESS", "written"):
        yield f"its successor {fault}"
    if run.finished_at and not Group.objects.filter(pk=run.metadata.get("written")).exists():
        yield "its successor's row is lost"
    for text in ("an innocent line", "an innocent text"):
        if text not in run.log:
            yield f"its successor's log lacks {text!r}"


def faults(scheduler: Scheduler, name: str, state: str, says: str) -> list[str]:
    return [
        *faults_of(scheduler.run(name), state, says),
        *faults_of_innocent(scheduler.run("innocent")),
    ]


@pytest.mark.parametrize(
    "isolated",
    [
        pytest.param(False, id="thread"),
        pytest.param(True, id="process", marks=pytest.mark.slow),
    ],
)
def test_hostile_job_ends_and_harms_no_other(
    start: Callable[[bool], Scheduler], outcomes: Counter[int], isolated: bool
) -> None:
    scheduler = start(isolated)
    found = {
        name: faults(scheduler, name, *expected(hostile, isolated))
        for name, hostile in HOSTILE.items()
    }
    assert {name: what for name, what in found.items() if what} == {}
    assert set(outcomes.values()) == {1}
    assert len(outcomes) == 2 * len(HOSTILE)
    assert not Group.objects.filter(name="lost").exists()


def expected(hostile: Hostile, isolated: bool) -> tuple[str, str]:
    if isolated:
        return hostile.isolated_state, hostile.isolated_says
    return hostile.state, hostile.says


def test_table_has_at_least_sixty_jobs() -> None:
    assert len(HOSTILE) >= 60
