"""How many runs a node can start soon."""

import time
from collections.abc import Callable

WINDOW = 1.0
"""Seconds. What has ended in this one and the one before tells how quickly runs end."""

SHARE = 10
"""One look for more runs for each tenth of those that have ended lately."""


class Capacity:
    """A node takes as many runs as it can start at once, and as many more as have ended lately: of
    quick runs thousands, of long ones none that another node could start sooner."""

    def __init__(self, size: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._clock = clock
        self.ended = 0
        """How many runs have ended."""
        self._at_window = 0
        self._in_last_window = 0
        self._since = clock()

    def free_slots(self, active: int) -> int:
        """How many runs to take beyond the `active` that wait or go."""
        return max(0, self._size + self._lately() - active)

    def should_poll(self, active: int) -> bool:
        """Whether there is room for enough runs to look for more: a look costs as much as a few
        runs do."""
        return self.free_slots(active) * SHARE > self._lately()

    def _lately(self) -> int:
        now = self._clock()
        if now - self._since >= WINDOW:
            self._in_last_window = self.ended - self._at_window
            self._at_window, self._since = self.ended, now
        return self._in_last_window + self.ended - self._at_window
