"""The nodes of one test: started, ordered to fail, looked at from outside."""

import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.chaos.form import Form
from tests.harness import Daemon, Database, Site, eventually

ACTIVE = "state IN ('queued', 'running')"


class Node(Daemon):
    """A scheduler that takes orders."""

    order_file: Path

    def order(self, number: signal.Signals, point: str) -> None:
        """Have it send itself this signal when it next passes that point."""
        draft = self.order_file.with_suffix(".draft")
        draft.write_text(f"{number.name} {point}")
        draft.rename(self.order_file)

    @property
    def pid(self) -> int:
        return self.process.pid


class Nodes(Site):
    """Schedulers on one database, under load."""

    def __init__(self, database: Database, folder: Path, form: Form, **env: str) -> None:
        self.form = form
        self._folder = folder
        self.database_file = database.url.removeprefix("sqlite:///")
        self._notes = folder / "notes"
        self._notes.touch()
        self._nodes: list[Node] = []
        super().__init__(
            database,
            folder,
            "tests.chaos.settings",
            CHAOS_HEARTBEAT=str(form.heartbeat),
            CHAOS_BUSY_TIMEOUT=str(form.busy_timeout),
            CHAOS_LOAD=str(form.load),
            CHAOS_NOTES=str(self._notes),
            CHAOS_FINISH=str(folder / "finish-{}"),
            **env,
        )

    def node(self, **env: str) -> Node:
        """Start one more, and wait until it has carried out some of the load."""
        order = self._folder / f"order-{time.monotonic_ns()}"
        node = Node(
            self.env | env | {"CHAOS_ORDER": str(order)},
            "runscheduler",
            "127.0.0.1:0",
            log=self._new_log(),
        )
        node.order_file = order
        self._daemons.append(node)
        self._nodes.append(node)
        self.works(node)
        return node

    def notes(self) -> list[tuple[str, str, int, int]]:
        """What the jobs noted: (what, job, run, process)."""
        lines = (line.split() for line in self._notes.read_text().splitlines())
        return [(what, job, int(run), int(pid)) for what, job, run, pid in lines]

    def works(self, node: Node, seconds: float = 20) -> None:
        """Wait until this node has carried out some more runs."""
        before = self.begun_by(node)
        eventually(lambda: self.begun_by(node) > before + self.form.load // 4, seconds)

    def all_work(self) -> None:
        """Wait until every node has beaten anew, and the load goes on. Which node carries it out is
        nobody's promise: whoever comes first takes it."""
        self.all_beat()
        begun = len(self.notes())
        eventually(lambda: len(self.notes()) > begun + self.form.load // 4)

    def all_beat(self) -> None:
        """Wait until every node has beaten anew."""
        for node in self._nodes:
            self.beats(node)

    def beats(self, node: Node) -> None:
        """Wait until this node has beaten anew."""
        before = self.last_beat(node)
        eventually(lambda: self.last_beat(node) not in (None, before))

    def last_beat(self, node: Node) -> Any:
        """The heartbeat of this process's present life; None while it is given up."""
        beats = self.rows(
            "SELECT max(beat.id) FROM scheduler_app_heartbeat beat JOIN scheduler_app_node node "
            f"ON node.id = beat.node_id WHERE stopped_at IS NULL AND name LIKE '%:{node.pid}'"
        )
        return beats[0][0] if beats else None

    def begun_by(self, node: Node) -> int:
        return Counter(pid for what, _, _, pid in self.notes() if what == "begun")[node.pid]

    def run_of(self, name: str) -> tuple[int, Node]:
        """Ask for a run, wait until it goes; its id and the node that has it."""
        self.trigger(name)
        mine = lambda: [n for n in self.notes() if n[:2] == ("begun", name)]  # noqa: E731
        _, _, run, pid = eventually(mine)[-1]
        return run, next(node for node in self._nodes if node.pid == pid)

    def stop_all(self) -> set[int]:
        """SIGTERM to all that live; their exit codes."""
        return {daemon.stop() for daemon in self._daemons if daemon.process.poll() is None}

    def let_finish(self, run: int) -> None:
        """Have the attentive run end of itself."""
        (self._folder / f"finish-{run}").touch()

    def outcome(self, run: int) -> str:
        """Its final state, once it has one."""
        eventually(lambda: self.row(run)[2])
        return str(self.row(run)[0])

    def given_up(self) -> int:
        """How many times a process that lives had to go on as a new node."""
        ((lives,),) = self.rows("SELECT count(*) FROM scheduler_app_node")
        return int(lives) - len(self._nodes)

    def lost(self) -> list[Any]:
        """The runs that were given up."""
        return self.rows("SELECT job_name, id FROM scheduler_app_jobrun WHERE state = 'lost'")

    def backward_runs(self) -> list[Any]:
        """Runs that ended before they started."""
        return self.rows(
            "SELECT job_name, id FROM scheduler_app_jobrun WHERE finished_at < started_at"
        )

    def ended(self, run: int) -> bool:
        """Whether the attentive run has returned, told or finished."""
        return any(n[0] != "begun" and n[2] == run for n in self.notes())

    def until_runs(self, name: str, count: int) -> None:
        eventually(lambda: len(self.runs(name)) >= count)

    def is_up_to_date(self) -> bool:
        """Whether no job of every second waits to be claimed."""
        ((first, last),) = self.rows(
            "SELECT min(next_run_time), max(next_run_time) FROM django_apscheduler_djangojob "
            "WHERE id LIKE '%:load-%' OR id LIKE '%:two-seconds-%'"
        )
        return bool(first == last)

    def held_by(self, node: Node) -> int:
        """How many runs that have not ended this process has, under any of its lives; -1 while
        the node itself is not closed."""
        mine = f"(SELECT id FROM scheduler_app_node WHERE name LIKE '%:{node.pid}'"
        ((alive, held),) = self.rows(
            f"SELECT (SELECT count(*) FROM scheduler_app_node WHERE stopped_at IS NULL "
            f"AND id IN {mine})), (SELECT count(*) FROM scheduler_app_jobrun WHERE {ACTIVE} "
            f"AND node_id IN {mine}))"
        )
        return -1 if alive else int(held)

    def row(self, run: int) -> tuple[Any, ...]:
        (row,) = self.rows(
            "SELECT state, message, finished_at, node_id FROM scheduler_app_jobrun "
            f"WHERE id = {run}"
        )
        return tuple(row)
