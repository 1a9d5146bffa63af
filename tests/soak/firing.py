"""Whether jobs begin, by their own account."""

import threading
from bisect import bisect_left
from itertools import pairwise

from tests.soak.account import Entry, Reader


class Firing:
    """All of the account that has been read, in memory."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._lock = threading.Lock()
        self.entries: list[Entry] = []
        self._begins: list[float] = []
        """Of any job: a lock on ten rows may hold up all jobs of every second, and no others."""
        self._last: dict[str, float] = {}
        self._ended: dict[int, float] = {}

    def refresh(self) -> None:
        with self._lock:
            for entry in self._reader.new():
                self.entries.append(entry)
                if entry.what == "begin":
                    self._last[entry.life] = entry.at
                    self._begins.append(entry.at)
                else:
                    self._ended[entry.run] = entry.at

    def any_since(self, moment: float) -> bool:
        """Whether any job has begun since."""
        self.refresh()
        with self._lock:
            begins = sorted(self._begins[-500:])  # processes write in any order
            return bisect_left(begins, moment) < len(begins)

    def stops(self, begin: float, end: float, longest: float) -> list[tuple[float, float]]:
        """From when to when no job began for longer than so many seconds."""
        with self._lock:
            begins = sorted([begin, *(at for at in self._begins if begin < at < end), end])
        return [gap for gap in pairwise(begins) if gap[1] - gap[0] > longest]

    def by_since(self, life: str, moment: float) -> bool:
        """Whether this life of a node has begun any run since."""
        self.refresh()
        with self._lock:
            return self._last.get(life, 0) >= moment

    def ended_at(self, run: int) -> float | None:
        """When its function was about to end; None if it was not, so far."""
        self.refresh()
        with self._lock:
            return self._ended.get(run)

    def life_of(self, run: int) -> str | None:
        """The life of the node that began it."""
        with self._lock:
            return next((entry.life for entry in self.entries if entry.run == run), None)
