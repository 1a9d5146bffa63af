"""Asks status, health and audit while the faults last.

Each watch runs in a thread of its own, so that one that gets no answer delays no other."""

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from scheduler_app.rpc.stubs import memory_pb2, memory_pb2_grpc
from tests.harness import ROOT
from tests.soak import ledger
from tests.soak.firing import Firing
from tests.soak.injections.rows import REFUSED
from tests.soak.judge import BOUND, FRESH, Judge
from tests.soak.nodes import Node
from tests.soak.stage import Stage
from tests.soak.timeline import clock
from tests.soak.violations import Violations

STUCK_AFTER = 15.0
"""How many seconds without a fault that holds it up a run may be running before its function has
begun, or after it has ended."""
STUCK_IN_ANY_CASE = 120.0


class Watch(threading.Thread):
    """Looks again and again until it is closed."""

    def __init__(
        self, name: str, look: Callable[[], None], interval: float, violations: Violations
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._look, self._interval, self._violations = look, interval, violations
        self._closed = threading.Event()

    def run(self) -> None:
        while not self._closed.wait(self._interval):
            try:
                self._look()
            except Exception as error:
                self._violations.add("fault of the soak", f"{self.name}: {error!r}")

    def close(self) -> None:
        self._closed.set()
        self.join(90)


class Watcher:
    """All watches of one soak."""

    def __init__(self, stage: Stage, firing: Firing, env: Mapping[str, str]) -> None:
        self._stage, self._firing, self._env = stage, firing, env
        self.samples: Counter[str] = Counter()
        self._stuck: set[int] = set()
        self._watches = [
            *(self._watch("health", node, self._health, 1.5) for node in stage.nodes),
            *(self._watch("grpc status", node, self._grpc_status, 4) for node in stage.nodes),
            self._watch("cli status", stage.nodes[0], self._cli_status, 15),
            Watch("audit", self._audit, 45, stage.violations),
            Watch("stuck", self._look_for_stuck, 5, stage.violations),
        ]

    def start(self) -> None:
        for watch in self._watches:
            watch.start()

    def close(self) -> None:
        for watch in self._watches:
            watch.close()

    def _watch(
        self, surface: str, node: Node, ask: Callable[[Node], bool | None], interval: float
    ) -> Watch:
        judge = Judge(surface, node, self._stage, self._firing)

        def look() -> None:
            begun = time.time()
            answer = ask(node)
            self.samples[f"{surface}: {_words(answer)}"] += 1
            judge.take(begun, answer)

        return Watch(f"{surface} {node.number}", look, interval, self._stage.violations)

    def _health(self, node: Node) -> bool | None:
        with _channel(node) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=3)
            return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
        return None

    def _grpc_status(self, node: Node) -> bool | None:
        with _channel(node) as channel:
            stub = memory_pb2_grpc.MemoryServiceStub(channel)
            request = memory_pb2.GetSchedulerStatusRequest()
            return bool(stub.GetSchedulerStatus(request, timeout=8).scheduler_running)
        return None

    def _cli_status(self, node: Node) -> bool | None:
        done = self.manage("scheduler", "--endpoint", f"127.0.0.1:{node.port}", "status", "--json")
        if done is None or done.returncode != 0:
            with (self._stage.folder / "cli.log").open("a") as log:
                log.write(f"{clock(time.time())} {node.life} {done}\n")
            return None
        return bool(json.loads(done.stdout)["scheduler_running"])

    def manage(self, *command: str) -> subprocess.CompletedProcess[str] | None:
        """Run a command; None if it does not end in time."""
        try:
            return subprocess.run(
                [sys.executable, "manage.py", *command], cwd=ROOT, env=dict(self._env), text=True,
                capture_output=True, timeout=60, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return None

    def _audit(self) -> None:
        """Clean is a lie while nothing fires, unless it says that no scheduler works. Discrepancies
        without a cause are one, too."""
        begun = time.time()
        done = self.manage("scheduler", "audit-ledger")
        is_clean = None if done is None else done.returncode == 0
        self.samples[f"audit: {_words(is_clean)}"] += 1
        fires = self._firing.any_since(begun - BOUND - FRESH)
        says_stopped = done is not None and "Scheduler: " in done.stderr
        if is_clean and not fires and not says_stopped:
            self._stage.violations.add("audit lies", "it is clean, but nothing fires", begun)
        if is_clean is False and not self._causes(begun):
            assert done is not None
            text = ascii((done.stdout + done.stderr).strip()[-600:])
            self._stage.violations.add("audit lies", f"without a fault: {text}", begun)

    def _causes(self, moment: float) -> bool:
        """Whether any fault may have left something for the audit to find."""
        faults = self._stage.timeline.faults
        if any(fault.category in ("spoil", "rows", "clock") for fault in faults):
            return True
        recent = self._stage.timeline.within(moment - 30, time.time())
        return any(fault.holds_up("") for fault in recent)

    def _died_at(self, life: str | None) -> float:
        """When the next life of that node began; 0 if that one goes on."""
        return max(
            (
                node.started_at
                for node in self._stage.nodes
                if life and life != node.life and life.startswith(f"{node.number}.")
            ),
            default=0.0,
        )

    def _look_for_stuck(self) -> None:
        with suppress(*REFUSED):
            now = time.time()
            for row in ledger.read(self._stage.store, "state = 'running'"):
                life, ended = self._firing.life_of(row.id), self._firing.ended_at(row.id)
                since = row.begin if life is None else ended
                if row.id in self._stuck or since is None:
                    continue
                node = life.split(".")[0] if life else ""
                since = max(since, self._died_at(life))
                quiet = self._stage.timeline.quiet_seconds(since, now, node)
                if quiet > STUCK_AFTER or now - since > STUCK_IN_ANY_CASE:
                    self._stuck.add(row.id)
                    what = f"its function ended at {clock(since)}" if life else "it never began"
                    self._stage.violations.add("stuck", f"{row} by {life}: {what}")


@contextmanager
def _channel(node: Node) -> Iterator[grpc.Channel]:
    """To the server of this node; a call that gets no answer ends the block."""
    with suppress(grpc.RpcError), grpc.insecure_channel(f"127.0.0.1:{node.port}") as channel:
        yield channel


def _words(answer: bool | None) -> str:
    return {True: "well", False: "not well", None: "no answer"}[answer]
