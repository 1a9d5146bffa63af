"""What other rules of a time zone (a new tzdata) change for the jobs in that zone."""

from collections.abc import Callable, Sequence
from datetime import datetime

from scheduler_app import zones
from scheduler_app.cron import Uncomputable
from scheduler_app.ledger import schedules, timetable
from scheduler_app.models import Job, ZoneRules
from scheduler_app.zones import ZoneOffsets


def change(jobs: Sequence[Job], apply: Callable[[Job], None], fields: Sequence[str]) -> None:
    """Have `apply` change these fields of each of these locked jobs: its zone's rules, no other
    part of its schedule. Its next period begins where its ledger ends: nothing is skipped."""
    ends = schedules.accounted_to(job.name for job in jobs)
    known = ZoneRules.objects.offsets(job.zone_rules for job in jobs)
    moments: dict[str, datetime] = {}
    for job in jobs:
        old = known.get(job.zone_rules)
        apply(job)
        moments[job.name] = _after_wall_time(job, ends[job.name], old)
    schedules.write(jobs, fields)
    timetable.advance({job.name: schedules.next_due(job, moments[job.name]) for job in jobs})
    by_zone: dict[str, list[Job]] = {}
    for job in jobs:
        by_zone.setdefault(job.timezone, []).append(job)
    for zone, group in by_zone.items():
        schedules.begin(group, moments, f"The rules of the time zone {zone} changed.")


def _after_wall_time(job: Job, end: datetime, old: ZoneOffsets | None) -> datetime:
    """Return the moment after which the job's next occurrence by the new rules is to be looked for:
    one whose local time had come by the old rules would fire a second time."""
    new, fires = zones.offsets(job.timezone), job.schedule.compute()
    if old is None or new is None or isinstance(fires, Uncomputable) or fires.is_by_the_clock:
        return end
    local, moment = old.local(end), end
    fire = fires.next(moment)
    while fire and new.local(fire.scheduled_for) <= local:
        moment = fire.due_at
        fire = fires.next(moment)
    return moment
