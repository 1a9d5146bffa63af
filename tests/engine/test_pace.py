"""How many runs a node takes."""

from scheduler_app.engine.pace import WINDOW, Pace


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_new_node_takes_what_it_can_start_at_once() -> None:
    assert Pace(20, Clock()).room(in_hand=0) == 20
    assert Pace(20, Clock()).room(in_hand=15) == 5


def test_node_whose_runs_take_long_takes_no_more_than_it_can_start_at_once() -> None:
    pace = Pace(20, Clock())
    assert pace.room(in_hand=20) == 0


def test_node_whose_runs_are_quick_takes_as_many_as_have_ended_lately() -> None:
    pace = Pace(20, Clock())
    pace.ended = 500
    assert pace.room(in_hand=20) == 500


def test_what_ended_long_ago_does_not_count() -> None:
    clock = Clock()
    pace = Pace(20, clock)
    pace.ended = 500
    for _ in range(3):
        clock.now += WINDOW
        pace.room(in_hand=0)
    assert pace.room(in_hand=20) == 0


def test_quick_runs_are_looked_for_in_batches() -> None:
    pace = Pace(20, Clock())
    pace.ended = 1_000
    assert not pace.is_worth_a_look(in_hand=1_000)
    assert pace.is_worth_a_look(in_hand=900)


def test_one_free_slot_of_a_slow_node_is_worth_a_look() -> None:
    pace = Pace(20, Clock())
    pace.ended = 1
    assert pace.is_worth_a_look(in_hand=20)
