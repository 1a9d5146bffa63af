"""A schedule as an APScheduler trigger."""

import pickle
from datetime import timedelta

from apscheduler.job import Job
from apscheduler.schedulers.background import BackgroundScheduler

from scheduler_app.cron import Schedule
from scheduler_app.engine.apscheduler import CronTrigger
from tests.cron.samples import utc
from tests.fires import computed

NOON = utc("2026-03-02T12:00")
TRIGGER = CronTrigger(Schedule("0 1 * * *", "Asia/Kathmandu"))


def test_first_time_is_after_now() -> None:
    assert TRIGGER.get_next_fire_time(None, NOON) == utc("2026-03-02T19:15")


def test_further_times_are_after_the_one_before() -> None:
    later = NOON + timedelta(days=9)
    assert TRIGGER.get_next_fire_time(utc("2026-03-02T19:15"), later) == utc("2026-03-03T19:15")


def test_time_includes_the_jitter() -> None:
    schedule = Schedule("@hourly", jitter=600, seed="a")
    fire = computed(schedule).next(NOON)
    assert fire is not None
    assert CronTrigger(schedule).get_next_fire_time(None, NOON) == fire.due_at != fire.scheduled_for


def test_trigger_survives_pickling() -> None:
    assert pickle.loads(pickle.dumps(TRIGGER)).schedule == TRIGGER.schedule


def test_trigger_shows_its_schedule() -> None:
    assert str(TRIGGER) == "cron['0 1 * * *', Asia/Kathmandu]"
    assert "expression='0 1 * * *'" in repr(TRIGGER)


def test_apscheduler_counts_the_times_that_a_job_missed() -> None:
    scheduler = BackgroundScheduler(timezone="UTC")
    job: Job = scheduler.add_job(print, CronTrigger(Schedule("@hourly")), next_run_time=NOON)
    assert job._get_run_times(NOON + timedelta(hours=2)) == [
        NOON + timedelta(hours=n) for n in range(3)
    ]
