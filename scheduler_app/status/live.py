"""The status of all jobs, read once and then kept true by the change feed."""

import time
from collections.abc import Callable, Collection

from scheduler_app.models import Change, Job, bulk
from scheduler_app.status.current import JobStatus, job_statuses, overdue_before
from scheduler_app.status.health import SchedulerHealth, SchedulerState, scheduler_health

MOST_CHANGES = 2_000
"""Commits. After more of them, all is read anew."""
REBUILT_EVERY, REBUILT_SHARE = 5.0, 20
"""All is read anew after so many seconds, and takes a twentieth of the time at most: the feed does
not know what others change by hand."""
QUERIED_AT_ONCE = 1_000


class LiveStatus:
    """Not for several threads at a time."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self.position = ""
        """Up to where in the feed it is true; empty before the first look."""
        self._rebuild_at = 0.0
        self._alive: frozenset[int] = frozenset()
        self.health = SchedulerHealth(SchedulerState.STOPPED, "", None, ())
        self.jobs: dict[str, JobStatus] = {}
        """In the order in which the status has them."""

    def refresh(self) -> Collection[str] | None:
        """Make it true. Return the jobs whose statuses were read again; None: all were. Raises what
        the database raises; then it is as true as it was before."""
        health = scheduler_health()
        names = self._to_read(health)
        if names is None or not self._read(names):
            self._rebuild()
            names = None
        self.health = health
        self._alive = _alive(health)
        return names

    def _to_read(self, health: SchedulerHealth) -> set[str] | None:
        """Return the jobs that may have changed; None: all may."""
        if not self.position or self._monotonic() >= self._rebuild_at:
            return None
        feed = Change.objects.after(self.position, MOST_CHANGES)
        if feed is None:
            return None
        names = set[str]()
        for changes in feed.changes:
            names.update(changes.jobs)
            names.update(job for _, job, _ in changes.runs)
        has_other_nodes = _alive(health) != self._alive
        limit = overdue_before()
        for job in self.jobs.values():
            is_late = job.next_run is not None and job.next_run < limit and not job.is_overdue
            was_going = job.running_run_ids or job.interrupted_runs
            if is_late or (has_other_nodes and was_going):
                names.add(job.name)
        self._next_position = feed.position
        return names

    def _read(self, names: Collection[str]) -> bool:
        """Read these jobs again. Return False if some have come or gone."""
        found = dict[str, JobStatus]()
        ordered = sorted(names)
        for start in range(0, len(ordered), QUERIED_AT_ONCE):
            batch = ordered[start : start + QUERIED_AT_ONCE]
            rows = job_statuses(Job.objects.filter(bulk.AnyOf("name", batch)), batch)
            found.update((job.name, job) for job in rows)
        if found.keys() - self.jobs.keys() or (names & self.jobs.keys()) - found.keys():
            return False
        self.jobs.update(found)
        self.position = self._next_position
        return True

    def _rebuild(self) -> None:
        began = self._monotonic()
        position = Change.objects.position()
        self.jobs = {job.name: job for job in job_statuses(Job.objects.all())}
        self.position = position
        took = self._monotonic() - began
        self._rebuild_at = self._monotonic() + max(REBUILT_EVERY, REBUILT_SHARE * took)


def _alive(health: SchedulerHealth) -> frozenset[int]:
    return frozenset(node.id for node in health.nodes if node.is_alive)
