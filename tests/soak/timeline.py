"""Which faults were in force when."""

import threading
import time
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

DEADLY = ("kill", "freeze", "stop", "exit")
"""The categories of faults that explain why a scheduler lost a run."""
CLOCK_ERROR = 20.0
"""By how many seconds, at most, a step of the clock makes moments wrong."""
OF_NODE = (*DEADLY, "limit")
OF_DATABASE = ("outage", "block", "clock")


@dataclass(slots=True, eq=False)
class Fault:
    name: str
    category: str
    """What it may do: one of OF_NODE or OF_DATABASE (an outage may stop all schedulers, what
    merely blocks may not), or hostile, rows, spoil, stream."""
    target: str
    """The life of a node, a job, or what else was hit."""
    begin: float
    end: float | None = None

    def overlaps(self, begin: float, end: float, margin: float = 0) -> bool:
        mine = time.time() if self.end is None else self.end
        return self.begin - margin <= end and begin <= mine + margin

    def holds_up(self, node: str) -> bool:
        """Whether it is one of the database, or of this node (of any, if it is "")."""
        if self.category in OF_NODE:
            return self.target.startswith(f"{node}." if node else "")
        return self.category in OF_DATABASE

    def __str__(self) -> str:
        lasted = "" if self.end is None else f" for {self.end - self.begin:.1f} s"
        return f"{clock(self.begin)} {self.name} {self.target}{lasted}"


@dataclass(slots=True)
class Timeline:
    faults: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, name: str, category: str, target: str) -> Fault:
        """Note a fault that begins now."""
        fault = Fault(name, category, target, time.time())
        with self._lock:
            self.faults.append(fault)
        return fault

    @contextmanager
    def during(self, name: str, category: str, target: str) -> Iterator[Fault]:
        """Note a fault that is in force for the block."""
        fault = self.add(name, category, target)
        try:
            yield fault
        finally:
            fault.end = time.time()
            print(fault, flush=True)

    def moment(self, name: str, category: str, target: str) -> None:
        """Note a fault that takes no time."""
        with self.during(name, category, target):
            pass

    def within(self, begin: float, end: float, margin: float = 0) -> list[Fault]:
        return [fault for fault in self.faults if fault.overlaps(begin, end, margin)]

    def any_of(self, categories: Collection[str], begin: float, end: float) -> bool:
        """Whether a fault of these was in force between these moments."""
        return any(fault.category in categories for fault in self.within(begin, end, margin=2))

    def is_limited(self, life: str, moment: float) -> bool:
        """Whether that node could get no memory or files since shortly before."""
        return any(
            fault.category == "limit" and fault.target == life
            for fault in self.within(moment - 5, time.time())
        )

    def explains_loss(self, life: str | None, begin: float, end: float) -> bool:
        """Whether that node (any, if it is not known) died or stood still between these moments,
        which are by the database's clock."""
        was_wrong = any(fault.category == "clock" for fault in self.within(begin, end, CLOCK_ERROR))
        return any(
            fault.category in DEADLY and life in (None, fault.target)
            for fault in self.within(begin, end, margin=CLOCK_ERROR if was_wrong else 1)
        )

    def quiet_seconds(self, begin: float, end: float, node: str) -> float:
        """How long, in all, no fault held up the database or this node between these moments."""
        edge, quiet = begin, 0.0
        faults = [fault for fault in self.within(begin, end) if fault.holds_up(node)]
        for fault in sorted(faults, key=lambda fault: fault.begin):
            quiet += max(0.0, fault.begin - edge)
            edge = max(edge, time.time() if fault.end is None else fault.end)
        return quiet + max(0.0, end - edge)

    def explains_stop(self, begin: float, end: float, nodes: int) -> bool:
        """Whether nothing had to fire between these moments: the database was away, or each node
        was hit."""
        faults = self.within(begin, end, margin=5)
        hit = {fault.target.split(".")[0] for fault in faults if fault.category in OF_NODE}
        return len(hit) == nodes or any(fault.category in ("outage", "clock") for fault in faults)

    def count(self) -> Counter[str]:
        return Counter(fault.name for fault in self.faults)


def clock(moment: float) -> str:
    """The moment, as it is printed."""
    return time.strftime("%H:%M:%S", time.gmtime(moment)) + f".{int(moment * 10) % 10}"
