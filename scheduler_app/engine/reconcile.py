"""Compare, at each heartbeat, all that living code declares with all that the database has.

Whatever happened to the rows (a release came or went, a person deleted or changed them, an older
dump was restored), those that disagree are corrected, BATCH jobs in one transaction. A job that
another transaction holds has its turn at the next heartbeat."""

import math
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import chain, islice
from typing import Any

from django.db import DatabaseError

from scheduler_app.added import AddedJobs
from scheduler_app.conf import scheduler_settings
from scheduler_app.cron import Uncomputable
from scheduler_app.engine import releases, stored, sync
from scheduler_app.engine.releases import Declarations
from scheduler_app.engine.stored import Stored, StoredJob
from scheduler_app.engine.sync import Changes, Outdated
from scheduler_app.ledger import schedules
from scheduler_app.logs import SafeLogger
from scheduler_app.models import AddedJob, LivenessSnapshot, Node, bulk, database, locks
from scheduler_app.registry import Registry
from scheduler_app.text import listed

logger = SafeLogger(__name__)

BATCH = 500
"""How many jobs one transaction deals with."""
PROVED_AT_ONCE = 2_000
"""How many due moments are checked against the ledger at one heartbeat."""


class Reconciler:
    """Reconciles for one scheduler."""

    def __init__(self, registry: Registry, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._registry, self._monotonic = registry, monotonic
        self._added = AddedJobs(registry)
        self._known: tuple[object, ...] = ()
        """Of the living releases and the added jobs, what tells whether they have changed."""
        self._state: tuple[object, ...] = ()
        """The releases and the signatures of the rows when they agreed."""
        self._found: Stored | None = None
        """All that was stored then."""
        self._is_proven = False
        """Whether all due moments were found right then."""
        self._right: dict[str, tuple[datetime | None, StoredJob]] = {}
        """The due moments that were found right, each with the job's row."""
        self._locked: list[str] = []
        self._refused: list[str] = []
        self.other_rules: frozenset[str] = frozenset()
        """Jobs in zones whose rules in force this process does not have: others claim them."""

    def reconcile(
        self,
        node: Node,
        snapshot: LivenessSnapshot,
        now: datetime,
        *,
        orphans: bool = True,
        still_holds: Callable[[], bool] = lambda: True,
        seconds: float = math.inf,
    ) -> Changes:
        """Make the rows agree with what the nodes of this snapshot, and this one, declare. What
        none of them declares is marked as orphaned if `orphans`. Once the snapshot no longer
        `still_holds`, or after so many `seconds`, the rest is left to the next heartbeat: nothing
        is committed by an outdated view."""
        deadline = self._monotonic() + seconds
        alive = snapshot.alive | {node.pk}
        self._load_added(node)
        digests = self._living(node, alive)
        added = self._living_added(node, alive, digests)
        declared = self._declared(digests, added)
        state = (digests, tuple(added), orphans, self._added.signature, *stored.signatures())
        if state == self._state and self._is_proven:
            return Changes()
        found = self._look(state)
        wrong = set(found.disagreeing(releases.wanted(digests) | releases.values(added)))
        # Those of zones that others know better are for them to judge.
        unproven = self._unproven(found, declared.keys() - wrong - self.other_rules)
        wrong |= self._late(found, dict(islice(unproven.items(), PROVED_AT_ONCE)))
        undeclared = self._undeclared(found, declared, alive) if orphans else set()
        changes = Changes()
        by: dict[str, Any] = {"now": now, "still_holds": still_holds}
        try:
            for batch in _batches(wrong):
                changes.add(_around(batch, partial(sync.mend, declared=declared, **by)))
                if self._monotonic() > deadline:
                    break
            for batch in _batches(undeclared - _just_added(undeclared, now)):
                if not still_holds() or self._monotonic() > deadline:
                    break
                changes.add(_around(batch, partial(sync.orphan, **by)))
        except Outdated:
            logger.warning("the view of who is alive is out of date; the next heartbeat continues")
        agrees = not (wrong or undeclared)
        self._state, self._found = (state, found) if agrees else ((), None)
        self._is_proven = len(unproven) <= PROVED_AT_ONCE
        self._log(changes)
        return changes

    def _living(self, node: Node, alive: Collection[int]) -> tuple[str, ...]:
        digests = releases.living(node, alive)
        if node.release not in digests:  # its row was deleted
            releases.remember(node.release, releases.declarations(self._registry))
            digests = releases.living(node, alive)
        return digests

    def _load_added(self, node: Node) -> None:
        """Know the jobs that people have added, and have others know which of them this node can
        run. While others hold a lock on these rows, what was known before is still in force."""
        try:
            with database.lock_timeout(locks.IMPATIENT):
                self._added.load()
                self._offer(node)
        except DatabaseError as error:
            if not (database.is_lock_timeout(error) and self._added.signature):
                raise
            logger.warning("another transaction holds the jobs that people have added: %s", error)

    def _offer(self, node: Node) -> None:
        """Have the node's row say which added jobs it can run, whatever others have made of it."""
        rows, told = Node.objects.filter(pk=node.pk), node.offers
        if self._added.declarations:
            told = rows.values_list("offers", flat=True).first()
        if told != self._added.offered:
            rows.update(offers=self._added.offered)
            node.offers = self._added.offered

    def _living_added(
        self, node: Node, alive: frozenset[int], digests: tuple[str, ...]
    ) -> Declarations:
        """Return the added jobs that a living node can run, and that no code declares."""
        if not self._added.declarations:
            return {}
        offered = releases.offers(alive - {node.pk}).union(self._added.offered)
        names = offered.difference(releases.deciding(digests))
        known = self._added.declarations
        return {name: known[name] for name in sorted(names) if name in known}

    def _declared(self, digests: tuple[str, ...], added: Declarations) -> Declarations:
        declared = releases.deciding(digests)
        declared = {**declared, **added} if added else declared
        known = (digests, tuple(added), self._added.signature)
        if known != self._known:
            self._known = known
            self.other_rules = releases.in_other_zones(declared)
        return declared

    def _look(self, state: tuple[object, ...]) -> Stored:
        """Read what is stored: only the due moments if nothing else has changed."""
        if self._found and state[:-1] == self._state[:-1]:
            return stored.look_again(self._found)
        return stored.look()

    def _unproven(self, found: Stored, names: Collection[str]) -> dict[str, datetime | None]:
        """Return the due moments of active jobs that have changed since they were found right."""
        unproven = {}
        for name in names:
            job, due_at = found.jobs[name], found.dues[name]
            if not job.is_paused and self._right.get(name) != (due_at, job):
                unproven[name] = due_at
        return unproven

    def _late(self, found: Stored, unproven: Mapping[str, datetime | None]) -> set[str]:
        """Return those of these jobs whose due moment is later than their ledger asks for."""
        late = set()
        ends = schedules.accounted_to(unproven) if unproven else {}
        for name, end in ends.items():
            job, due_at = found.jobs[name], unproven[name]
            schedule = job.schedule(name)
            if isinstance(schedule.compute(), Uncomputable):
                continue  # no moment can be called too late
            right = schedules.next_due_by(schedule, name, end)
            if schedules.is_too_late(due_at, right):
                late.add(name)
            else:
                self._right[name] = due_at, job
        return late

    def _undeclared(
        self, found: Stored, declared: Declarations, alive: Collection[int]
    ) -> set[str]:
        """Return the jobs that no living node declares, and that are not marked so."""
        names = {name for name, job in found.jobs.items() if not job.is_orphaned}
        names -= declared.keys()
        if not names:
            return names
        others = Node.objects.filter(pk__in=alive).values_list("declares", flat=True)
        return names.difference(chain.from_iterable(others))

    def _log(self, changes: Changes) -> None:
        _tell(logger.info, "jobs added: %s", changes.added)
        _tell(
            logger.info,
            "jobs changed to what the newest living release declares: %s",
            changes.changed,
        )
        _tell(
            logger.warning,
            "rows of these jobs were missing or wrong, and are restored: %s",
            changes.restored,
        )
        _tell(logger.warning, "jobs no longer declared: %s", changes.orphaned)
        if changes.locked != self._locked:
            self._locked = changes.locked
            _tell(
                logger.warning,
                "another transaction holds rows of these jobs, which wait: %s",
                changes.locked,
            )
        if changes.refused != self._refused:
            self._refused = changes.refused
            _tell(
                logger.error,
                "the database refuses rows of these jobs, which stay as they are: %s",
                changes.refused,
            )


def _around(names: Sequence[str], change: Callable[[Sequence[str]], Changes]) -> Changes:
    """Change these jobs, in transactions of their own, and leave out those that cannot be."""
    changes, refusals = Changes(), dict[str, DatabaseError]()
    left = locks.around(names, lambda some: changes.add(change(some)), refusals.__setitem__)
    changes.locked += [name for name in left if name not in refusals]
    changes.refused += refusals
    return changes


def _just_added(names: Collection[str], now: datetime) -> set[str]:
    """Return those of these jobs that people have added so lately that nodes may not know it."""
    if not names:
        return set()
    since = now - 2 * timedelta(seconds=scheduler_settings().heartbeat)
    added = AddedJob.objects.filter(bulk.AnyOf("name", names), added_at__gte=since)
    return set(added.values_list("name", flat=True))


def _tell(log: Callable[..., None], message: str, names: list[str]) -> None:
    if names:
        log(message, listed(names))


def _batches(names: Iterable[str]) -> Iterable[list[str]]:
    ordered = sorted(names)
    return (ordered[start : start + BATCH] for start in range(0, len(ordered), BATCH))
