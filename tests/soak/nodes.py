"""The schedulers, and a supervisor that starts each again when it has ended."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.harness import ROOT
from tests.harness.cluster import free_port
from tests.soak.account import LIFE
from tests.soak.timeline import Timeline, clock
from tests.soak.violations import Violations

RESTART_AFTER = 1.0
STOPS_WITHIN = 36.0
"""The shutdown timeout of the soak's settings and the 25 s within which README promises the end."""

STARTS_WITHIN = 5.0
"""Until then a signal may find a process that has no handlers yet, and end it at once."""


class Node:
    """One scheduler and the process in which it lives at present."""

    def __init__(
        self, number: int, env: dict[str, str], folder: Path, timeline: Timeline, found: Violations
    ) -> None:
        self.number, self.port = number, free_port()
        self.clock_file = folder / f"clock-{number}"
        self.put_clock(0)
        self._env = env | {"CHAOS_CLOCK": str(self.clock_file)}
        self._folder, self._timeline, self._found = folder, timeline, found
        self._life = 0
        self._ended_by: str | None = None
        self.busy = threading.Lock()
        """Held by the fault that has this node."""
        self.is_frozen = False
        self.started_at = 0.0
        self.start()

    @property
    def life(self) -> str:
        return f"{self.number}.{self._life}"

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def log(self) -> Path:
        return self._folder / f"node-{self.life}.log"

    def start(self) -> None:
        self._life += 1
        self._ended_by = None
        self.started_at = time.time()
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "runscheduler", f"127.0.0.1:{self.port}"],
                cwd=ROOT, env=self._env | {LIFE: self.life}, stdin=subprocess.PIPE,
                stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def send(self, number: signal.Signals) -> None:
        self._ended_by = number.name
        self.process.send_signal(number)

    @contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        """Stop the process for the block."""
        with self._timeline.during(name, "freeze", self.life):
            self.is_frozen = True
            self.process.send_signal(signal.SIGSTOP)
            try:
                yield
            finally:
                self.process.send_signal(signal.SIGCONT)
                self.is_frozen = False

    def put_clock(self, seconds: float) -> None:
        """Set the clock of this node so far from the right time."""
        draft = self.clock_file.with_suffix(".draft")
        draft.write_text(str(seconds))
        draft.rename(self.clock_file)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send the signal, and wait; kill the process if it does not end in time."""
        begun, life = time.time(), self.life
        self.send(number)
        try:
            code = self.process.wait(STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            self._found.add("not stopped", f"{life} lives {STOPS_WITHIN} s after {number.name}")
            self.process.kill()
            self.process.wait()
            return
        if code < 0 and begun - self.started_at > STARTS_WITHIN:
            took = time.time() - begun
            self._found.add(
                "not stopped in order", f"{life}: {number.name}, code {code} after {took:.1f} s"
            )

    def bury(self) -> None:
        """End what the process has left behind, as systemd does, and judge how it ended."""
        code = self.process.returncode
        if self._ended_by is None:
            self._timeline.moment(f"exit {code} by itself", "exit", self.life)
            print(f"{clock(time.time())} {self.life}: {self.last_words()}", flush=True)
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def last_words(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return ascii(lines[-1][:300]) if lines else "(nothing)"


class Supervisor(threading.Thread):
    """Starts each node again, one second after its process has ended."""

    def __init__(self, nodes: list[Node]) -> None:
        super().__init__(name="supervisor", daemon=True)
        self.nodes = nodes
        self._stopped = threading.Event()

    def run(self) -> None:
        ended: dict[int, float] = {}
        while not self._stopped.wait(0.1):
            for node in self.nodes:
                if node.process.poll() is None:
                    continue
                if node.number not in ended:
                    ended[node.number] = time.monotonic()
                    node.bury()
                elif time.monotonic() - ended[node.number] > RESTART_AFTER:
                    del ended[node.number]
                    node.start()

    def close(self) -> None:
        """Leave the nodes as they are from now on."""
        self._stopped.set()
        self.join()

    def kill_all(self) -> None:
        for node in self.nodes:
            with suppress(ProcessLookupError):
                os.killpg(node.pid, signal.SIGKILL)
            node.process.wait()
