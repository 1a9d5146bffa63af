"""A backlog of a job that may not overlap: taken in batches, carried out one after the other."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

import pytest

from scheduler_app.backends import ThreadExecutor
from scheduler_app.backends.process import Isolation
from scheduler_app.engine import dispatcher as module
from scheduler_app.engine import recorder
from scheduler_app.engine.claim import Claimer
from scheduler_app.engine.dispatcher import Dispatcher
from scheduler_app.engine.pickup import MOMENT, Backlogs
from scheduler_app.engine.recorder import record
from scheduler_app.engine.vitals import Vitals
from scheduler_app.ledger.transitions import Recorded
from scheduler_app.models import JobRun, Node, RunState
from scheduler_app.registry import JobContext, Registry
from tests.engine.conftest import T0, eventually
from tests.engine.test_scale import add_waiting

Declare = Callable[..., None]
Start = Callable[..., Claimer]


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def runs(count: int) -> list[JobRun]:
    return [JobRun(job_name="a") for _ in range(count)]


def test_first_run_of_a_backlog_is_taken_alone() -> None:
    assert Backlogs().allowance("a") == 1


def test_quick_runs_are_taken_in_growing_batches() -> None:
    clock = Clock()
    backlogs = Backlogs(clock)
    sizes = []
    for _ in range(8):
        size = backlogs.allowance("a")
        sizes.append(size)
        backlogs.took(runs(size))
        clock.now += 0.01 * size
    assert sizes == [1, 2, 4, 8, 16, 25, 25, 25]


def test_slow_runs_are_taken_one_by_one() -> None:
    clock = Clock()
    backlogs = Backlogs(clock)
    backlogs.took(runs(16))
    clock.now += 16 * MOMENT * 2
    assert backlogs.allowance("a") == 1


@pytest.mark.django_db
def test_batch_is_one_jobs_only_if_nothing_of_it_is_going(
    declare: Declare, start: Start, registry: Registry
) -> None:
    declare("a", cron="0 0 1 1 *", catch_up="all")
    claimer = start()
    add_waiting("a", 5)
    claimer.backlogs.took(runs(2))
    batch = claimer.claim(T0)
    assert 1 < len(batch) <= 4
    assert [run.scheduled_for for run in batch] == sorted(run.scheduled_for for run in batch)
    other = Claimer(Node.objects.create(name="there:2", declares=["a"]), registry)
    assert other.claim(T0 + timedelta(minutes=5)) == []
    assert claimer.claim(T0) == []


@pytest.fixture
def dispatcher(registry: Registry, transactional_db: None) -> Iterator[Dispatcher]:
    executor = ThreadExecutor(4)
    dispatcher = Dispatcher(registry, executor, Isolation(), Vitals())
    dispatcher.start()
    yield dispatcher
    dispatcher.stop_all()
    assert dispatcher.stop(10)
    executor.close()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("overlap", ["skip", "allow"])
def test_runs_of_one_job_begin_one_after_the_other(
    dispatcher: Dispatcher, declare: Declare, start: Start, node: Node, overlap: str
) -> None:
    calls = list[datetime]()
    going = threading.Semaphore(1 if overlap == "skip" else 4)

    def work(context: JobContext) -> None:
        assert going.acquire(blocking=False)
        calls.append(context.scheduled_for)
        time.sleep(0.005)
        going.release()

    declare("a", work, overlap=overlap)
    start()
    add_waiting("a", 20)
    JobRun.objects.update(node=node)
    dispatcher.hand_over(JobRun.objects.order_by("due_at"))
    assert len(dispatcher.active) > 1
    eventually(lambda: not dispatcher.active and not JobRun.objects.active().exists())
    assert set(JobRun.objects.values_list("state", flat=True)) == {RunState.SUCCESS}
    assert len(calls) == 20
    if overlap == "skip":
        assert calls == sorted(calls)


@pytest.mark.django_db(transaction=True)
def test_known_quick_runs_need_few_commits(
    dispatcher: Dispatcher,
    declare: Declare,
    start: Start,
    node: Node,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    declare("a", overlap="allow")
    start()
    commits = list[int]()

    def counting(starts: Sequence[JobRun], ends: Sequence[JobRun]) -> Recorded:
        commits.append(len(starts))
        return record(starts, ends)

    monkeypatch.setattr(recorder, "record", counting)
    dispatcher._size = 2
    add_waiting("a", 200)
    JobRun.objects.update(node=node)
    first, *others = JobRun.objects.order_by("due_at")
    dispatcher.hand_over([first])
    eventually(lambda: not dispatcher.active)
    dispatcher.hand_over(others)
    eventually(lambda: not JobRun.objects.active().exists(), 30)
    assert max(commits) > 10


@pytest.mark.django_db(transaction=True)
def test_node_with_more_in_hand_than_it_gets_done_is_overloaded(
    dispatcher: Dispatcher,
    declare: Declare,
    start: Start,
    node: Node,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    end = threading.Event()
    declare("a", end.wait, overlap="allow")
    start()
    add_waiting("a", 30)
    JobRun.objects.update(node=node)
    dispatcher.hand_over(JobRun.objects.all())
    assert not dispatcher.is_overloaded  # a few long runs
    monkeypatch.setattr(module, "OVERLOAD", 20)
    assert dispatcher.is_overloaded
    end.set()
    eventually(lambda: not JobRun.objects.active().exists(), 30)
    assert not dispatcher.is_overloaded
