"""When a job is due: cron expressions, time zones and jitter, as pure functions of the time."""

from scheduler_app.cron.expression import MAX_EXPRESSION
from scheduler_app.cron.fires import MAX_ZONE
from scheduler_app.cron.schedule import MAX_JITTER, Fire, Fires, Schedule, Uncomputable, find_zone

__all__ = [
    "MAX_EXPRESSION",
    "MAX_JITTER",
    "MAX_ZONE",
    "Fire",
    "Fires",
    "Schedule",
    "Uncomputable",
    "find_zone",
]
