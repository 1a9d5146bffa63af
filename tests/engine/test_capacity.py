"""How many runs a node takes."""

from scheduler_app.engine.capacity import WINDOW, Capacity


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
