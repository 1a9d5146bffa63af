"""How many runs a node can start soon."""

import time
from collections.abc import Callable, Hashable
from datetime import timedelta

WINDOW = 1.0
"""Seconds. The runs that ended in this window and the one before tell how quickly runs end."""
SHARE = 10
"""A node looks for more runs once a tenth of those that have ended lately has ended again."""
AHEAD = 0.01
"""Seconds of work, as far as is known, that may be recorded as begun while all threads are busy."""
QUICK = 0.005
"""Seconds that a run of a quick job takes at most."""
HANDLING = 0.0001
"""Seconds that a run costs besides its function."""


class Pace:
    """How many starts one commit records: one for each thread and, of jobs whose last runs were
    quick, as many more as all threads together complete in a moment. So of 1,000 quick runs that
    are due together each commit starts a hundred, not twenty.

    A job that has not run in this process is taken to be as quick as the last run of its function,
    `function_of(job_name)`: thousands of jobs seldom have as many functions."""

    def __init__(self, function_of: Callable[[str], Hashable]) -> None:
        self._function_of = function_of
        self._took: dict[str, float] = {}
        self._function_took: dict[Hashable, float] = {}
        self._costs: dict[int, float] = {}
        self._ahead = 0.0

    @property
    def quick_runs(self) -> int:
        """How many runs of quick jobs have begun and not ended."""
        return len(self._costs)

    def has_room_for(self, job_name: str) -> bool:
        """Return whether a run of this job may begin although all threads are busy."""
        cost = self._cost(job_name)
        return cost is not None and self._ahead + cost <= AHEAD

    def began(self, run_id: int, job_name: str) -> None:
        """Note that a run begins."""
        cost = self._cost(job_name)
        if cost is not None:
            self._costs[run_id] = cost
            self._ahead += cost

    def ended(self, run_id: int, job_name: str, duration: timedelta | None) -> None:
        """Note that a run has ended, and how long it took if that is known."""
        self._ahead = self._ahead - self._costs.pop(run_id, 0.0) if self._costs else 0.0
        if duration is not None:
            self._took[job_name] = took = duration.total_seconds()
            self._function_took[self._function_of(job_name)] = took

    def _cost(self, job_name: str) -> float | None:
        took = self._took.get(job_name)
        if took is None:
            took = self._function_took.get(self._function_of(job_name))
        return took + HANDLING if took is not None and took <= QUICK else None


class Capacity:
    """A node takes as many runs as it can start at once, and as many more as have ended lately:
    thousands of quick runs, but no long one that another node could start sooner."""

    def __init__(self, size: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._clock = clock
        self.ended = 0
        """How many runs have ended."""
        self._at_window = 0
        self._in_last_window = 0
        self._since = clock()

    def free_slots(self, active: int) -> int:
        """Return how many runs to take beyond the `active` ones, which are queued here or
        running."""
        return max(0, self._size + self._lately() - active)

    def should_poll(self, active: int) -> bool:
        """Return whether there is room for enough runs to look for more: a look costs as much as a
        few runs do."""
        return self.free_slots(active) * SHARE > self._lately()

    def _lately(self) -> int:
        now = self._clock()
        if now - self._since >= WINDOW:
            self._in_last_window = self.ended - self._at_window
            self._at_window, self._since = self.ended, now
        return self._in_last_window + self.ended - self._at_window
