"""How long the faults last, and how much the nodes have to do meanwhile."""

from dataclasses import dataclass

MISSED_HEARTBEATS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """All times are in seconds."""

    heartbeat: float
    outage: float
    """How long the database is stopped, full or away, or the clock wrong; longer than a node may
    be silent."""
    lock: float
    """How long somebody else has SQLite's write lock; longer than `busy_timeout`."""
    busy_timeout: float
    load: int
    """How many jobs of every second there are, besides some that take two seconds."""
    margin: float
    """What a busy machine may need on top of a bound that is much shorter than users have it."""

    @property
    def closed_within(self) -> float:
        """How soon after its death a node's runs must be closed."""
        return self.heartbeat * MISSED_HEARTBEATS + self.margin


SHORT = Form(heartbeat=1, outage=4, lock=7, busy_timeout=5, load=30, margin=3)
FULL = Form(heartbeat=5, outage=20, lock=30, busy_timeout=20, load=100, margin=0)
