"""Decides whether what a surface says is true.

What is true, the account of the jobs tells. A surface lies when for longer than BOUND it says that
all is well while nothing fires, or, with no outage of the database, that nothing works while the
node that is asked fires."""

import time

from tests.soak.firing import Firing
from tests.soak.nodes import Node
from tests.soak.stage import Stage
from tests.soak.timeline import clock

HEARTBEAT = 3.0
"""As in the settings of the soak."""
FRESH = 4.0
"""Jobs of every second that began within so many seconds: it fires."""
BOUND = 2 * HEARTBEAT + 4
"""How long a surface may be wrong: two heartbeats, and what a busy machine needs."""


class Judge:
    """Tells whether one surface of one node has said something untrue for too long."""

    def __init__(self, surface: str, node: Node, stage: Stage, firing: Firing) -> None:
        self._surface, self._node, self._stage, self._firing = surface, node, stage, firing
        self._wrong, self._since, self._life, self._told = "", 0.0, "", False

    def take(self, begun: float, says_well: bool | None) -> None:
        """An answer to a question that was asked at `begun`; None: it gave no answer."""
        now = time.time()
        wrong = self._wrong_now(begun, says_well)
        if self._told and wrong != self._wrong:
            print(f"   {clock(now)} {self._surface} of {self._life}: over", flush=True)
        if (wrong, self._node.life) != (self._wrong, self._life) or now - begun > BOUND:
            self._wrong, self._since, self._life, self._told = wrong, now, self._node.life, False
        if wrong and not self._told and now - self._since > BOUND:
            self._told = True
            text = f"{self._surface} of {self._life} {wrong} since {clock(self._since)}"
            self._stage.violations.add(f"{self._surface} lies", text)

    def _wrong_now(self, begun: float, says_well: bool | None) -> str:
        node, timeline = self._node, self._stage.timeline
        if node.is_frozen or any(
            fault.category == "clock" for fault in timeline.within(begun - FRESH, time.time(), 3)
        ):
            return ""
        if says_well and not self._firing.any_since(begun - FRESH):
            return "says that all is well, but nothing fires"
        if timeline.is_limited(node.life, begun):
            return ""  # without a connection or a thread it can neither look nor answer
        if timeline.any_of(("outage",), begun - FRESH, time.time()):
            return ""  # it may be unable to look, or to beat
        if not says_well and self._firing.by_since(node.life, begun - 1):
            return "gives no answer" if says_well is None else "says not well, but it fires"
        return ""
