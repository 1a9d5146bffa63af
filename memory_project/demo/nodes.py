"""The schedulers of the shop's two machines: deployed each week; one died, and once both were
off."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from memory_project.demo.incidents import DAY, Incidents
from scheduler_app.engine import releases
from scheduler_app.models import Heartbeat, Node
from scheduler_app.registry import Registry

MACHINES = ("shop-1", "shop-2")
DIES = MACHINES[1]
MINUTE = timedelta(minutes=1)
BEFORE_JUDGED = timedelta(seconds=13)
"""After how long without a heartbeat the others close a node."""


@dataclass(frozen=True, slots=True)
class Lost:
    """When and why a run was recorded as lost."""

    at: datetime
    message: str


@dataclass(frozen=True, slots=True)
class _Life:
    node: Node
    begin: datetime
    end: datetime
    has_died: bool


class Machines:
    """Which scheduler ran when."""

    def __init__(
        self,
        registry: Registry,
        begin: datetime,
        now: datetime,
        incidents: Incidents,
        *,
        is_alive: bool,
    ) -> None:
        """`is_alive`: whether the last scheduler is alive at the end."""
        self.is_alive = is_alive
        self._registry, self._now, self._death = registry, now, incidents.death
        self._lives = list[_Life]()
        for start, end in _turns(begin, now, incidents):
            for machine in MACHINES:
                if machine == DIES and start < self._death < end:
                    self._live(machine, start, self._death, has_died=True)
                    self._live(machine, self._death + MINUTE, end)
                else:
                    self._live(machine, start, end)

    def _live(
        self, machine: str, start: datetime, end: datetime, *, has_died: bool = False
    ) -> None:
        name = f"{machine}:{2_100 + 731 * len(self._lives)}"
        node = releases.register(name, self._registry)
        node.started_at = start
        node.save(update_fields=["started_at"])
        self._lives.append(_Life(node, start, end, has_died))

    @property
    def newest(self) -> Node:
        """The scheduler that was the last to start."""
        return self._lives[-1].node

    def pick(self, moment: datetime, chance: random.Random) -> Node:
        """Return one of those that were alive then; shortly before a death, the one that dies."""
        alive = [life for life in self._lives if life.begin <= moment <= life.end]
        dying = [life for life in alive if life.has_died and moment > life.end - 10 * MINUTE]
        return chance.choice(dying or alive).node if alive else self.newest

    def lost(self, node_id: int | None, begun: datetime, ended: datetime) -> Lost | None:
        """Return why a run on this node was lost; None: it was not."""
        if not begun <= self._death < ended:
            return None
        for life in self._lives:
            if life.has_died and life.node.pk == node_id:
                message = f"Lost: its scheduler, {life.node.name}, died or froze during the run."
                return Lost(life.end + BEFORE_JUDGED, message)
        return None

    def close(self) -> None:
        """Have all end, except the newest if it is to be alive."""
        for life in self._lives:
            beat = life.end
            Heartbeat.objects.create(
                node=life.node, at=beat, claimed_at=beat, recorded_at=beat, executed_at=beat
            )
            if not (self.is_alive and life.node == self.newest):
                life.node.stopped_at = beat + (BEFORE_JUDGED if life.has_died else timedelta())
                life.node.save(update_fields=["stopped_at"])


def _turns(begin: datetime, now: datetime, incidents: Incidents) -> list[tuple[datetime, datetime]]:
    """Return from when to when schedulers ran: until the next deploy, or the outage."""
    deploys = [now - week * 7 * DAY - DAY / 8 for week in (4, 3, 2, 1)]
    turns, start = list[tuple[datetime, datetime]](), begin
    for moment in sorted([*deploys, incidents.outage.begin]):
        if moment > begin:
            turns.append((start, moment))
            start = incidents.outage.end if moment == incidents.outage.begin else moment
    return [*turns, (start, now)]
