"""How many runs a node takes."""

from datetime import timedelta

import pytest

from scheduler_app.engine.capacity import AHEAD, HANDLING, WINDOW, Capacity, Pace


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_new_node_takes_what_it_can_start_at_once() -> None:
    assert Capacity(20, Clock()).free_slots(active=0) == 20
    assert Capacity(20, Clock()).free_slots(active=15) == 5


def test_node_whose_runs_take_long_takes_no_more_than_it_can_start_at_once() -> None:
    capacity = Capacity(20, Clock())
    assert capacity.free_slots(active=20) == 0


def test_node_whose_runs_are_quick_takes_as_many_as_have_ended_lately() -> None:
    capacity = Capacity(20, Clock())
    capacity.ended = 500
    assert capacity.free_slots(active=20) == 500


def test_what_ended_long_ago_does_not_count() -> None:
    clock = Clock()
    capacity = Capacity(20, clock)
    capacity.ended = 500
    for _ in range(3):
        clock.now += WINDOW
        capacity.free_slots(active=0)
    assert capacity.free_slots(active=20) == 0


def test_quick_runs_are_looked_for_in_batches() -> None:
    capacity = Capacity(20, Clock())
    capacity.ended = 1_000
    assert not capacity.should_poll(active=1_000)
    assert capacity.should_poll(active=900)


def test_one_free_slot_of_a_slow_node_should_poll() -> None:
    capacity = Capacity(20, Clock())
    capacity.ended = 1
    assert capacity.should_poll(active=20)


def paced(**took: float) -> Pace:
    """A pace that has seen these jobs' last runs take so many seconds. Jobs have a function in
    common if their names begin alike: `sync_a` and `sync_b`."""
    pace = Pace(lambda name: name.split("_")[0])
    for number, (name, seconds) in enumerate(took.items()):
        pace.began(number, name)
        pace.ended(number, name, timedelta(seconds=seconds))
    return pace


def test_quick_runs_begin_ahead_of_the_threads_for_a_moment() -> None:
    pace = paced(quick=0.0001)
    begun = 0
    while pace.has_room_for("quick"):
        pace.began(begun, "quick")
        begun += 1
    assert begun == pace.quick_runs == int(AHEAD / (0.0001 + HANDLING))
    pace.ended(0, "quick", timedelta(seconds=0.0001))
    assert pace.has_room_for("quick")


def test_job_that_has_not_run_is_as_quick_as_the_last_run_of_its_function() -> None:
    pace = paced(sync_a=0.2, sync_b=0.0001)
    assert pace.has_room_for("sync_new")
    assert not pace.has_room_for("sync_a")
    pace.ended(0, "sync_b", timedelta(seconds=0.2))
    assert not pace.has_room_for("sync_new")


@pytest.mark.parametrize("name", ["slow", "unknown"])
def test_only_runs_known_to_be_quick_begin_ahead(name: str) -> None:
    pace = paced(quick=0.0001, slow=0.2)
    assert not pace.has_room_for(name)
    pace.began(9, name)
    assert pace.quick_runs == 0


def test_job_that_turns_slow_begins_ahead_no_more() -> None:
    pace = paced(a=0.0001)
    pace.began(9, "a")
    pace.ended(9, "a", timedelta(seconds=3))
    assert not pace.has_room_for("a")


def test_run_that_was_not_begun_changes_no_pace() -> None:
    pace = paced(a=0.0001)
    pace.began(9, "a")
    pace.ended(9, "a", None)
    assert pace.quick_runs == 0
    assert pace.has_room_for("a")
