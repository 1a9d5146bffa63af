"""The thread executor."""

import itertools
import logging
import threading
from collections.abc import Callable

import pytest

from scheduler_app.backends import ThreadExecutor, threads
from tests.engine.conftest import eventually


def _meet(meeting: threading.Barrier) -> None:
    meeting.wait(30)


def _wait(event: threading.Event) -> None:
    event.wait(30)


def test_tasks_run_beside_each_other() -> None:
    executor = ThreadExecutor(3)
    meeting = threading.Barrier(4)
    for _ in range(3):
        executor.hand_over([lambda: _meet(meeting)])
    meeting.wait(30)  # and the test itself
    assert executor.wait(30)
    assert not meeting.broken


def test_no_more_tasks_at_a_time_than_its_size() -> None:
    executor = ThreadExecutor(2)
    lock, going, most, done = threading.Lock(), 0, 0, threading.Semaphore(0)

    def task() -> None:
        nonlocal going, most
        with lock:
            going += 1
            most = max(most, going)
        done.acquire(timeout=0.01)
        with lock:
            going -= 1
        finished.release()

    finished = threading.Semaphore(0)
    for _ in range(10):
        executor.hand_over([task])
    for _ in range(10):
        assert finished.acquire(timeout=30)
    executor.close()
    assert most == 2


def test_wait_tells_whether_all_have_ended() -> None:
    executor = ThreadExecutor(1)
    begun, release = threading.Event(), threading.Event()

    def task() -> None:
        begun.set()
        release.wait(30)

    executor.hand_over([task])
    assert begun.wait(30)
    assert not executor.wait(0.05)
    release.set()
    assert executor.wait(30)


def test_wait_until_begun_tells_whether_a_task_waits_for_a_thread() -> None:
    executor = ThreadExecutor(1)
    release = threading.Event()
    executor.hand_over([lambda: _wait(release)])
    assert executor.wait_until_begun(10)
    executor.hand_over([lambda: None])
    assert not executor.wait_until_begun(0.05)
    release.set()
    assert executor.wait_until_begun(10)


def test_closed_executor_carries_out_what_it_has_and_ends_its_threads() -> None:
    executor = ThreadExecutor(2)
    before = threading.active_count()
    done = [threading.Event() for _ in range(5)]
    executor.hand_over([event.set for event in done])
    executor.close()
    assert all(event.wait(30) for event in done)
    eventually(lambda: threading.active_count() == before)


def test_threads_are_used_again() -> None:
    executor = ThreadExecutor(5)
    names = set()
    for _ in range(20):
        done = threading.Event()

        def task(done: threading.Event = done) -> None:
            names.add(threading.current_thread().name)
            done.set()

        executor.hand_over([task])
        assert done.wait(30)
    assert executor.wait(30)
    assert len(names) <= 5


@pytest.fixture
def no_threads(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, type[Exception]], None]:
    """Have the system refuse to start so many threads."""

    def _no_threads(times: int, error: type[Exception]) -> None:
        start, refused = threading.Thread.start, itertools.count()

        def refuse(self: threading.Thread) -> None:
            if next(refused) < times:
                raise error("can't start new thread")
            start(self)

        monkeypatch.setattr(threading.Thread, "start", refuse)

    return _no_threads


@pytest.mark.parametrize("error", [RuntimeError, MemoryError])
def test_thread_that_cannot_start_is_tried_again(
    no_threads: Callable[[int, type[Exception]], None],
    error: type[Exception],
    caplog: pytest.LogCaptureFixture,
) -> None:
    no_threads(2, error)
    executor, done = ThreadExecutor(2), threading.Event()
    executor.hand_over([done.set])
    executor.hand_over([])
    assert executor.threads == 0
    assert executor.stalled_since is not None
    executor.hand_over([])  # as each tick does
    assert done.wait(10)
    assert executor.wait(10)
    assert executor.threads == 1
    assert "cannot start a thread for a run, will try again: can't start" in caplog.text


def test_free_thread_takes_what_waits_for_a_new_one(
    no_threads: Callable[[int, type[Exception]], None],
) -> None:
    executor, release, done = ThreadExecutor(2), threading.Event(), threading.Event()
    executor.hand_over([lambda: _wait(release)])
    assert executor.wait_until_begun(10)
    no_threads(100, RuntimeError)
    executor.hand_over([done.set])
    assert not done.wait(0.05)
    release.set()
    assert done.wait(10)
    assert executor.threads == 1


def test_handler_that_raises_does_not_end_the_hand_over(
    no_threads: Callable[[int, type[Exception]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def raise_(_: logging.LogRecord) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(logging.getLogger("scheduler_app.backends.threads"), "handle", raise_)
    no_threads(1, RuntimeError)
    executor, done = ThreadExecutor(1), threading.Event()
    executor.hand_over([done.set])
    executor.hand_over([])
    assert done.wait(10)


@pytest.mark.parametrize("error", [RuntimeError, SystemExit, KeyboardInterrupt])
def test_task_that_raises_costs_no_thread(error: type[BaseException]) -> None:
    def fail() -> None:
        raise error

    executor, done = ThreadExecutor(1), threading.Event()
    executor.hand_over([fail, done.set])
    assert done.wait(10)
    assert executor.wait(10)
    assert executor.threads == 1


def test_thread_that_ends_before_its_first_step_is_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    work, started = ThreadExecutor._work, itertools.count()

    def end_at_once(self: ThreadExecutor) -> None:
        if next(started):
            work(self)

    monkeypatch.setattr(ThreadExecutor, "_work", end_at_once)
    monkeypatch.setattr(threads, "SUSPICIOUS", 0.01)
    executor, done = ThreadExecutor(1), threading.Event()
    executor.hand_over([done.set])
    assert not done.wait(0.05)

    def is_done() -> bool:
        executor.hand_over([])
        return done.is_set()

    eventually(is_done)
    assert executor.threads == 1


def test_nothing_is_stalled_while_all_threads_are_active() -> None:
    executor, release = ThreadExecutor(1), threading.Event()
    executor.hand_over([lambda: _wait(release), lambda: None])
    eventually(lambda: executor.stalled_since is None)
    release.set()
    assert executor.wait(10)
    assert executor.stalled_since is None


def test_thread_in_which_something_is_left_ends() -> None:
    local, found = threading.local(), []

    def leave() -> None:
        found.append(hasattr(local, "value"))
        local.value = 1

    executor = ThreadExecutor(1)
    for _ in range(3):
        executor.hand_over([leave])
        assert executor.wait(10)
    assert found == [False] * 3
    eventually(lambda: executor.threads == 0)
