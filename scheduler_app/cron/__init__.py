"""When a job is due: schedules, time zones and jitter, as pure functions of the time."""

from scheduler_app.cron.compose import compose
from scheduler_app.cron.fires import MAX_ZONE
from scheduler_app.cron.notation import MAX_TEXT
from scheduler_app.cron.schedule import MAX_JITTER, Fire, Fires, Schedule, Uncomputable, find_zone

__all__ = [
    "MAX_JITTER",
    "MAX_TEXT",
    "MAX_ZONE",
    "Fire",
    "Fires",
    "Schedule",
    "Uncomputable",
    "compose",
    "find_zone",
]
