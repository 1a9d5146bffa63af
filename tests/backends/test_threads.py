"""The thread executor."""

import threading

from scheduler_app.backends import ThreadExecutor
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
