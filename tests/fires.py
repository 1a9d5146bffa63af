"""Schedules that can be computed, as tests want them."""

from scheduler_app.cron import Fires, Schedule


def computed(schedule: Schedule) -> Fires:
    fires = schedule.compute()
    assert isinstance(fires, Fires), fires
    return fires


def fires_of(expression: str, timezone: str = "UTC", jitter: int = 0, seed: str = "") -> Fires:
    return computed(Schedule(expression, timezone, jitter, seed))
