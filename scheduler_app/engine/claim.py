"""The claim: in one transaction, advance the timetable and insert the runs.

After a crash before the commit, nothing has happened. After a later crash the runs exist, and a
scheduler that does not carry them out leaves rows that say so. What other transactions have locked
is left for the next look."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import DatabaseError, IntegrityError

from scheduler_app.conf import scheduler_settings
from scheduler_app.cron import Fire
from scheduler_app.engine import pickup
from scheduler_app.engine.active_runs import ActiveRuns, active_runs
from scheduler_app.engine.firing_rules import FiringRules, rules_of
from scheduler_app.engine.plan import Circumstances, Plan, is_of_stop, plan
from scheduler_app.ledger import schedules, timetable, transitions
from scheduler_app.logs import SafeLogger
from scheduler_app.models import JobRun, Node, RunState, bulk, change, database, locks
from scheduler_app.registry import Registry

logger = SafeLogger(__name__)

LIMIT = 5_000
"""How many due jobs one claim takes, and about how many runs, so that its transaction stays
short."""
SLICE = 0.5
"""Seconds of deciding after which a claim leaves the other due jobs to the next one."""
RETRY_LOCKED = 0.25
"""Seconds between two looks at what others have locked."""
FEW = 20
"""How many locked jobs are passed over to find what is due next."""


@dataclass(slots=True)
class Claimer:
    """Claims for one node the jobs that its code declares."""

    node: Node
    registry: Registry
    after_stop: bool = False
    """Whether no scheduler was alive before this one; until all that was due at its first claim is
    dealt with."""
    undeclared: set[str] = field(default_factory=set)
    """Due jobs that this node's code lacks. Other nodes fire them."""
    other_rules: frozenset[str] = frozenset()
    """Jobs in zones whose rules in force this node does not have. Other nodes fire them, too."""
    next_due: datetime | None = None
    """When this node should claim next, as far as the last claim could see."""
    more_waits: bool = False
    """Whether the last claim left runs that wait for room, or for another run to end."""
    is_held_up: bool = False
    """Whether the last claim could claim nothing of what is due, because others have locked it."""
    backlogs: pickup.Backlogs = field(default_factory=pickup.Backlogs)
    _back_at: datetime | None = None
    """After a stop: when it first claimed."""
    _has_claimed: bool = False
    """Whether this claim has dealt with a due job."""
    _has_more: bool = False
    """Whether the last claim left due jobs to the next, so that its transaction stayed short."""
    _locked: list[str] = field(default_factory=list)
    """Due jobs that could not be claimed because others have locked what the claim would write, or
    the database refuses it."""
    _retry_at: float = 0.0
    """When to try those again."""
    refusal: DatabaseError | None = None
    """Why the database refuses the runs of some due jobs; None if it does not."""
    _refused: set[str] = field(default_factory=set)
    """Due jobs whose runs the database refuses."""
    _waiting: set[str] = field(default_factory=set)
    """Jobs whose waiting runs the database refuses to change."""
    _alone: set[str] = field(default_factory=set)
    """Those of them that are not held up by what holds up all: other jobs were claimed since."""

    def claim(
        self, now: datetime, free_slots: int = LIMIT, *, is_overloaded: bool = False
    ) -> list[JobRun]:
        """Claim what is due, and pick up what waits for a node. The runs returned are committed,
        QUEUED and held by this node, to be carried out now.

        `free_slots`: how many runs this node can start soon. It picks up no more waiting runs than
        that, but claims all that is due: most runs are quick, and other nodes take over those that
        it does not begin. An overloaded node leaves what is due to others, or to its own next
        look."""
        if self.after_stop:
            self._back_at = self._back_at or now
            pickup.miss_what_is_too_late(self._back_at, _grace())
        self._has_claimed = False
        runs = list[JobRun]()
        with database.reading():
            is_due = self._look(now) and not is_overloaded
            is_to_retry = bool(self._locked) and time.monotonic() >= self._retry_at
            if not (is_due or is_to_retry):
                self._look_at_the_rest(now, free_slots, is_overloaded)
        if is_due:
            runs += self._claim_due(now)
        if is_to_retry:
            runs += self._claim_locked(now)
        if is_due or is_to_retry:
            with database.reading():
                self._look(now)
                self._look_at_the_rest(now, free_slots - len(runs), is_overloaded)
        if self.more_waits and len(runs) < free_slots:
            runs += pickup.pick_up(
                self.node,
                self.registry,
                self.undeclared,
                self._waiting,
                self.backlogs,
                now,
                free_slots - len(runs),
            )
        return runs

    def _look_at_the_rest(self, now: datetime, room: int, is_overloaded: bool) -> None:
        """Note what this claim leaves, after a look at what is due."""
        is_due = self._is_due(now)
        if not (self._back_at and self._is_due(self._back_at)):
            self.after_stop, self._back_at = False, None
        if self._has_claimed:
            self._alone |= self._refused
        is_held_up = is_due and not is_overloaded and not self._has_claimed
        self.is_held_up = is_held_up and not self._is_due_alone(now)
        if is_due and is_overloaded:
            self.next_due = now + timedelta(seconds=RETRY_LOCKED)
        elif is_due and not self._has_more:
            self._look_past_locked(now)
        self.more_waits = room <= 0 or self._is_any_free(now)

    def _is_due_alone(self, now: datetime) -> bool:
        """Return whether nothing is due but jobs that hold up no others."""
        return bool(self._alone) and not timetable.due(now, self._leaving | self._alone, 1)

    def _is_any_free(self, now: datetime) -> bool:
        return JobRun.objects.any_waits(self.node) and JobRun.objects.free(now, self.node).exists()

    def _look(self, now: datetime) -> bool:
        self.next_due = timetable.next_due(excluding=self._leaving)
        return self._is_due(now)

    @property
    def _leaving(self) -> frozenset[str]:
        """The jobs that are left to other nodes."""
        return self.other_rules | self.undeclared

    def _look_past_locked(self, now: datetime) -> None:
        """Look again in a moment, not at once: what is still due is locked by other
        transactions."""
        retry_at = now + timedelta(seconds=RETRY_LOCKED)
        locked = timetable.due(now, self._leaving, FEW)
        if len(locked) == FEW:
            self.next_due = retry_at
            return
        others_due = timetable.next_due(excluding=self._leaving.union(locked))
        self.next_due = min(others_due or retry_at, retry_at)

    def _is_due(self, now: datetime) -> bool:
        return self.next_due is not None and self.next_due <= now

    def _claim_due(self, now: datetime) -> list[JobRun]:
        try:
            return self._commit(now)
        except DatabaseError as error:
            if not (database.is_lock_timeout(error) or database.is_refusal(error)):
                raise
            names = timetable.due(now, self._leaving.union(self._locked), LIMIT)
            runs, left = self._claim_around_locks(now, names)
            if len(left) == len(names) and database.is_lock_timeout(error):
                raise  # the lock is on a whole table
            self._locked += left
            return runs

    def _claim_locked(self, now: datetime) -> list[JobRun]:
        """Try again what could not be claimed because of others' locks."""
        runs, self._locked = self._claim_around_locks(now, self._locked)
        self._retry_at = time.monotonic() + RETRY_LOCKED
        return runs

    def _claim_around_locks(
        self, now: datetime, names: Sequence[str]
    ) -> tuple[list[JobRun], list[str]]:
        """Claim those of these jobs that need no lock that others hold, and whose runs the database
        does not refuse; return their runs, and the other jobs."""
        runs = list[JobRun]()
        known, self._refused = self._refused, self._refused.difference(names)

        def refused(name: str, error: DatabaseError) -> None:
            self.refusal = error
            self._refused.add(name)
            if name not in known:
                logger.error("job %s does not fire: the database refuses its runs: %s", name, error)

        left = locks.impatiently(names, lambda some: runs.extend(self._commit(now, some)), refused)
        self._alone &= self._refused
        if not self._refused:
            self.refusal = None
        return runs, left

    def _commit(self, now: datetime, names: Sequence[str] | None = None) -> list[JobRun]:
        try:
            with database.atomic():
                runs, has_claimed = self._claim_rows(now, names)
        except IntegrityError:
            # Some occurrence is in the ledger already: the timetable was put back.
            with database.atomic():
                runs, has_claimed = self._claim_rows(now, names, again=True)
        self._has_claimed |= has_claimed
        return runs

    def _claim_rows(
        self, now: datetime, names: Sequence[str] | None, *, again: bool = False
    ) -> tuple[list[JobRun], bool]:
        """Claim in the present transaction; return the runs that start, and whether any due job was
        dealt with."""
        deadline = time.monotonic() + SLICE
        leaving = self._leaving if names else self._leaving.union(self._locked)
        due = timetable.lock_due(now, leaving, LIMIT, among=names)
        self.undeclared |= {name for name in due if name not in self.registry}
        rules = rules_of(name for name in due if name not in self.undeclared)
        active = active_runs([name for name in rules if not rules[name].policies.may_overlap])
        decided: dict[tuple[FiringRules, datetime | None, bool, bool], Plan] = {}

        def decide(name: str, due_at: datetime | None) -> Plan:
            earlier = active.get(name)
            key = (rules[name], due_at, bool(earlier), bool(earlier and earlier.has_waiting))
            if key not in decided:  # many jobs are alike
                decided[key] = self._plan(now, *key)
            return decided[key]

        plans, rows = dict[str, Plan](), 0
        for name in filter(rules.__contains__, due):  # the earliest first
            plans[name] = decide(name, due[name])
            rows += len(plans[name].runs) + len(plans[name].waits)
            if rows >= LIMIT or time.monotonic() > deadline:
                break
        self._has_more = len(plans) < len(rules) or len(due) == LIMIT
        ranges = JobRun.objects.ranges(min(due.values(), default=now)).order_by()
        folded = set(ranges.values_list("job_name", flat=True))
        suspects = [
            name for name, planned in plans.items() if again or planned.size > 1 or name in folded
        ]
        for name, due_at in _due_after_ledger(suspects, due, rules).items():
            plans[name] = decide(name, due_at)
        for name, planned in plans.items():
            if planned.problem:
                logger.error("job %s does not fire any more: %s", name, planned.problem)
        superseding = [name for name, planned in plans.items() if planned.cancels_previous]
        if superseding:
            for name in transitions.cancel_previous(superseding, now):
                del plans[name]  # it waits for a run that others have locked
        blank = JobRun(scheduled_for=now, due_at=now, created_at=now, node=self.node)
        starts: list[JobRun] = []
        others: list[JobRun] = []
        for name, planned in plans.items():
            for fire in planned.runs:
                run = _like(blank, name, fire)
                run.policies = rules[name].policies
                starts.append(run)
            if planned.waits or planned.missed or planned.skipped:
                others += self._others(name, planned, active.get(name), now)
        timetable.advance({name: planned.next_due for name, planned in plans.items()})
        change.note_jobs(plans.keys() - {run.job_name for run in (*starts, *others)})
        transitions.insert(starts)  # by themselves: rows that are alike are quickly inserted
        transitions.insert(others)
        return starts, bool(plans)

    def _plan(
        self,
        now: datetime,
        rules: FiringRules,
        due_at: datetime | None,
        is_busy: bool,
        has_waiting: bool,
    ) -> Plan:
        if due_at is None or due_at > now:
            return Plan(next_due=due_at)
        circumstances = Circumstances(
            now=now,
            grace=_grace(),
            policies=rules.policies,
            is_busy=is_busy,
            has_waiting=has_waiting,
            back_at=self._back_at,
        )
        return plan(rules.schedule.compute(), due_at, circumstances)

    def _others(
        self, name: str, planned: Plan, earlier: ActiveRuns | None, now: datetime
    ) -> list[JobRun]:
        rows = list[JobRun]()
        if planned.waits:
            blank = JobRun(scheduled_for=now, due_at=now, created_at=now)
            rows += [_like(blank, name, fire) for fire in planned.waits]
        of_stop = [fire for fire in planned.missed if is_of_stop(fire, self._back_at)]
        for missed, why in (
            (of_stop, "no scheduler was running"),
            (planned.missed[len(of_stop) :], "the scheduler came too late"),
        ):
            if missed:
                message = f"Missed: {why}."
                rows.append(transitions.not_run(name, missed, RunState.MISSED, message, now))
        if planned.skipped and earlier:
            message = f"Skipped: run {earlier.run_id} had not ended."
            rows.append(transitions.not_run(name, planned.skipped, RunState.SKIPPED, message, now))
        return rows


def _like(blank: JobRun, name: str, fire: Fire) -> JobRun:
    return bulk.like(blank, job_name=name, scheduled_for=fire.scheduled_for, due_at=fire.due_at)


def _due_after_ledger(
    names: Iterable[str], due: dict[str, datetime], rules: dict[str, FiringRules]
) -> dict[str, datetime | None]:
    """Return when those of these jobs are due next for which the ledger already accounts for what
    is due by the timetable: the timetable was put back. A claim of a single occurrence need not
    ask, unless a ledger row stands for several: the ledger takes no row twice."""
    names = list(names)
    ends = schedules.accounted_to(names) if names else {}
    return {
        name: schedules.next_due_by(rules[name].schedule, name, end)
        for name, end in ends.items()
        if end >= due[name]
    }


def _grace() -> timedelta:
    return timedelta(seconds=scheduler_settings().misfire_grace)
