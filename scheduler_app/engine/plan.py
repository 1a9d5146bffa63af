"""What should happen to a job that is due: a pure decision, made in one place."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from scheduler_app.cron import Fire, Schedule
from scheduler_app.policies import Overlap

SLICE = 10_000
"""How many occurrences of one job one plan deals with. More (a job of every second after a night
without a scheduler) are left to the next tick, so that no tick takes long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What, besides the schedule, decides about an occurrence."""

    now: datetime
    grace: timedelta
    """How late an occurrence may be and still run."""
    overlap: Overlap = Overlap.SKIP
    busy: bool = False
    """Whether an earlier run of the job has not ended."""
    after_stop: bool = False
    """Whether no scheduler was alive until just now."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Every occurrence that is due is in exactly one of the three."""

    runs: list[Fire]
    skipped: list[Fire]
    missed: list[Fire]
    next_due: datetime | None


def plan(schedule: Schedule, due_at: datetime, circumstances: Circumstances) -> Plan:
    """Decide about all occurrences from the one due at `due_at` until now.

    An occurrence later than the grace is missed. Of the others all run where runs may overlap;
    where they may not, and after a stop, the latest stands for all. It is skipped if an earlier
    run has not ended."""
    now = circumstances.now
    fires = list(islice(schedule.due(due_at, now), SLICE + 1))
    if len(fires) > SLICE:
        next_fire: Fire | None = fires.pop()
        latest: list[Fire] = []
    else:
        next_fire = schedule.next(now)
        latest = fires[-1:]
    alone = circumstances.overlap == Overlap.SKIP or circumstances.after_stop
    wanted = latest if alone else fires
    oldest = now - circumstances.grace
    chosen = [fire for fire in wanted if fire.due_at >= oldest]
    skip = circumstances.busy and circumstances.overlap == Overlap.SKIP
    return Plan(
        runs=[] if skip else chosen,
        skipped=chosen if skip else [],
        missed=fires[: len(fires) - len(chosen)],  # the chosen are the latest
        next_due=next_fire.due_at if next_fire else None,
    )
