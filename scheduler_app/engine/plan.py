"""What should happen to a job that is due: a pure decision, made in one place."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice

from scheduler_app.cron import Fire, Fires, Uncomputable
from scheduler_app.ledger.transitions import BATCH as BATCH
from scheduler_app.policies import DEFAULTS, CatchUp, Overlap, Policies


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What, besides the schedule, decides about an occurrence."""

    now: datetime
    grace: timedelta
    """How late an occurrence may be and still run under every policy."""
    policies: Policies = DEFAULTS
    is_busy: bool = False
    """Whether an earlier run of the job has not ended, be it running or waiting."""
    has_waiting: bool = False
    """Whether an earlier run waits for another to end."""
    back_at: datetime | None = None
    """Until when no scheduler was alive; None if one was alive all the time."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Every occurrence that is due is in exactly one of the first four."""

    runs: list[Fire] = field(default_factory=list)
    """Start at once."""
    waits: list[Fire] = field(default_factory=list)
    """Start one by one, each when all earlier runs of the job have ended."""
    skipped: list[Fire] = field(default_factory=list)
    missed: list[Fire] = field(default_factory=list)
    cancels_previous: bool = False
    """Whether the runs that have not ended are to end for the one that waits."""
    next_due: datetime | None = None
    problem: str = ""
    """Why the schedule cannot be computed: the job is not looked at again until its row changes."""

    @property
    def size(self) -> int:
        """How many occurrences it deals with."""
        return len(self.runs) + len(self.waits) + len(self.skipped) + len(self.missed)


def is_of_stop(fire: Fire, back_at: datetime | None) -> bool:
    """Return whether it was due while no scheduler was alive, which was until `back_at`."""
    return back_at is not None and fire.due_at <= back_at


def plan(schedule: Fires | Uncomputable, due_at: datetime, circumstances: Circumstances) -> Plan:
    """Decide about all occurrences from the one due at `due_at` until now: the catch-up policy
    chooses those that may run, the others are missed; the overlap policy tells how they run."""
    if isinstance(schedule, Uncomputable):
        return Plan(problem=schedule.text)
    fires = list(islice(schedule.due(due_at, circumstances.now), BATCH + 1))
    if len(fires) > BATCH:
        return _batch(fires, circumstances)
    following = schedule.next(circumstances.now)
    chosen = _chosen(fires, circumstances)
    return _overlapped(
        chosen,
        circumstances,
        missed=fires[: len(fires) - len(chosen)],  # the chosen are the latest
        next_due=following.due_at if following else None,
    )


def _batch(fires: list[Fire], circumstances: Circumstances) -> Plan:
    """Plan a part of what is due, which is more than one plan deals with. What is certainly too
    old, or makes room for a later one, is missed."""
    policies = circumstances.policies
    may_run = {CatchUp.SKIP: 0, CatchUp.ONCE: 1, CatchUp.ALL: policies.catch_up_limit}
    end = BATCH - may_run[policies.catch_up]
    runs = []
    if policies.catch_up != CatchUp.ALL and policies.may_overlap:
        runs = _beside_later_ones(_in_time(fires[:end], circumstances), circumstances)
    return Plan(missed=fires[: end - len(runs)], runs=runs, next_due=fires[end].due_at)


def _chosen(fires: list[Fire], circumstances: Circumstances) -> list[Fire]:
    """Return the occurrences that may run: always the latest ones."""
    policies = circumstances.policies
    if policies.catch_up == CatchUp.ALL:
        return fires[-policies.catch_up_limit :]
    in_time = _in_time(fires, circumstances)
    together = _beside_later_ones(in_time, circumstances) if policies.may_overlap else []
    chosen = together or in_time[-1:]
    if policies.catch_up == CatchUp.ONCE:
        return chosen or fires[-1:]
    return chosen


def _beside_later_ones(fires: list[Fire], circumstances: Circumstances) -> list[Fire]:
    """Return those that run although later ones are due: not those of a stop."""
    return [fire for fire in fires if not is_of_stop(fire, circumstances.back_at)]


def _in_time(fires: list[Fire], circumstances: Circumstances) -> list[Fire]:
    oldest = circumstances.now - circumstances.grace
    return [fire for fire in fires if fire.due_at >= oldest]


def _overlapped(
    chosen: list[Fire], circumstances: Circumstances, missed: list[Fire], next_due: datetime | None
) -> Plan:
    overlap = circumstances.policies.overlap
    if overlap == Overlap.ALLOW or not chosen:
        return Plan(runs=chosen, missed=missed, next_due=next_due)
    if len(chosen) > 1:  # a backlog, which catch_up="all" has promised to run
        return Plan(waits=chosen, missed=missed, next_due=next_due)
    if not circumstances.is_busy:
        return Plan(runs=chosen, missed=missed, next_due=next_due)
    if overlap == Overlap.CANCEL_PREVIOUS:
        return Plan(waits=chosen, missed=missed, next_due=next_due, cancels_previous=True)
    if overlap == Overlap.QUEUE and not circumstances.has_waiting:
        return Plan(waits=chosen, missed=missed, next_due=next_due)
    return Plan(skipped=chosen, missed=missed, next_due=next_due)
