"""One soak, from the first start to the verdict."""

import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.harness import Site, eventually, postgres_database, sqlite_database
from tests.harness.cluster import Cluster, binaries, cluster, server_folder
from tests.soak import account, ledger, report
from tests.soak.app.hostile import ORDERS
from tests.soak.firing import Firing
from tests.soak.injections import injections
from tests.soak.injections.rows import REFUSED
from tests.soak.nodes import Node, Supervisor
from tests.soak.plan import Step, steps
from tests.soak.stage import TIMETABLE, Stage, Store
from tests.soak.timeline import Timeline, clock
from tests.soak.verdict import Verdict
from tests.soak.violations import Violations
from tests.soak.watcher import Watcher

AT_A_TIME = 2
"""How many faults may be in force together."""
CALM = 15.0
"""After so many faults in a row, seconds in which there is none, so that recovery is seen."""
CALM_EVERY = 12
SETTLES_WITHIN = 90.0
SETTLED_AGE = 20.0
"""How old, in seconds, a run may be that waits when all is settled."""
STOP = 10.0
"""For so many seconds nothing may fire, if the database is there and a node is."""
MARGIN = 5.0
"""The occurrences of the last seconds are not judged."""


@dataclass(slots=True)
class Soak:
    database: str
    seed: int
    minutes: float
    server_url: str
    folder: Path
    chosen: Callable[[str], bool] = lambda _: True
    """Which faults are injected, by name."""
    timeline: Timeline = field(default_factory=Timeline)
    violations: Violations = field(default_factory=Violations)

    def run(self) -> bool:
        """Whether it was clean."""
        with ExitStack() as stack:
            server = stack.enter_context(_own_server()) if self.database == "postgres" else None
            stage, env = self._stage(stack, server)
            firing = Firing(account.Reader(self.folder / "account"))
            watcher = Watcher(stage, firing, env)
            eventually(lambda: firing.any_since(0), 90)
            begin = time.time() + 2
            print(f"{clock(begin)} all fire; faults begin", flush=True)
            watcher.start()
            self._inject(stage, server is not None)
            end = self._settle(stage, firing) - MARGIN
            watcher.close()
            self._stop(stage)
            self._final_audit(watcher)
            firing.refresh()
            self._judge(stage, firing, watcher, (begin, end))
        return not self.violations.found

    def _stage(self, stack: ExitStack, server: Cluster | None) -> tuple[Stage, dict[str, str]]:
        if self.database == "sqlite":
            database = sqlite_database(self.folder)
        else:
            url = server.url if server else self.server_url
            database = stack.enter_context(postgres_database(url))
        stage_env = {
            account.VARIABLE: str(self.folder / "account"),
            ORDERS: str(self.folder / "orders"),
            "SOAK_LOGS_FAIL": str(self.folder / "logs-fail"),
        }
        (self.folder / "orders").mkdir()
        (self.folder / "account").touch()
        site = Site(database, self.folder, "tests.soak.settings", **stage_env)
        store = Store(database.url)
        store.execute("CREATE TABLE soak_work (run bigint)")
        supervisor = stack.enter_context(self._nodes(site.env))
        env = site.env | {"CHAOS_CLOCK": str(supervisor.nodes[0].clock_file)}
        longest = max(8.0, min(40.0, self.minutes * 60 / 12))
        over = threading.Event()
        stage = Stage(
            supervisor, store, server, self.folder, longest, self.timeline, self.violations, over
        )
        return stage, env

    @contextmanager
    def _nodes(self, env: dict[str, str]) -> Iterator[Supervisor]:
        ages = ("0", "60", "600") if self.database == "postgres" else ("0",)
        nodes = [
            Node(
                number, env | {"SOAK_CONN_MAX_AGE": age}, self.folder, self.timeline,
                self.violations,
            )
            for number, age in enumerate(ages)
        ]  # fmt: skip
        supervisor = Supervisor(nodes)
        supervisor.start()
        try:
            yield supervisor
        finally:
            supervisor.close()
            supervisor.kill_all()

    def _inject(self, stage: Stage, has_server: bool) -> None:
        deadline = time.monotonic() + self.minutes * 60
        places = threading.Semaphore(AT_A_TIME)
        running: list[threading.Thread] = []
        possible = injections(self.database, has_server)
        plan = steps(self.seed, [known for known in possible if self.chosen(known.name)])
        for number, step in enumerate(plan):
            time.sleep(step.wait + (CALM if number % CALM_EVERY == CALM_EVERY - 1 else 0))
            if time.monotonic() > deadline:
                break
            places.acquire()
            thread = threading.Thread(target=self._step, args=(stage, step, places), daemon=True)
            running.append(thread)
            thread.start()
        stage.over.set()
        for thread in running:
            thread.join(60)

    def _step(self, stage: Stage, step: Step, places: threading.Semaphore) -> None:
        try:
            step.injection.function(stage, random.Random(step.seed))
        except REFUSED as error:  # another fault has the database
            self.timeline.moment(f"{step.injection.name} (not possible)", "none", repr(error)[:80])
        except Exception as error:
            self.violations.add("fault of the soak", f"{step.injection.name}: {error!r}")
        finally:
            places.release()

    def _settle(self, stage: Stage, firing: Firing) -> float:
        """Wait until nothing is overdue; the moment at which that was seen."""
        print(f"{clock(time.time())} faults are over; settling", flush=True)
        deadline = time.monotonic() + SETTLES_WITHIN
        while time.monotonic() < deadline:
            time.sleep(2)
            now = time.time()
            if not (left := _left_behind(stage, firing)):
                return now
        self.violations.add("does not recover", "; ".join(left[:10]))
        return time.time()

    def _stop(self, stage: Stage) -> None:
        stage.supervisor.close()
        for node in stage.nodes:
            if node.process.poll() is None:
                with self.timeline.during("final stop", "stop", node.life):
                    node.stop()
            node.bury()
        for row in ledger.read(stage.store, "state = 'running'"):
            self.violations.add("stuck", f"{row} after the end of all schedulers")

    def _final_audit(self, watcher: Watcher) -> None:
        done = watcher.manage("scheduler", "audit-ledger")
        if done is None or done.returncode != 0:
            lines = (done.stdout + done.stderr).splitlines() if done else ["no answer"]
            kinds: dict[str, list[str]] = {}
            for line in lines:
                kinds.setdefault(re.sub(r"\d+", "0", line), []).append(line)
            for several in kinds.values():
                self.violations.add("final audit", f"{several[0]!a} ({len(several)} such)")

    def _judge(
        self, stage: Stage, firing: Firing, watcher: Watcher, window: tuple[float, float]
    ) -> None:
        for first, last in firing.stops(*window, STOP):
            if not self.timeline.explains_stop(first, last, len(stage.nodes)):
                text = f"nothing fired from {clock(first)} to {clock(last)}, without an outage"
                self.violations.add("stopped", text, first)
        rows = ledger.read(stage.store)
        work = Counter(run for (run,) in stage.store.execute("SELECT run FROM soak_work"))
        verdict = Verdict(rows, firing.entries, self.timeline, self.violations, window)
        figures = verdict.find(work)
        omitted = verdict.omitted()
        print(report.table(self.timeline, figures, watcher.samples, self.violations, omitted))


@contextmanager
def _own_server() -> Iterator[Cluster | None]:
    """A server that may be restarted; None where none can be made."""
    found = binaries()
    if found is None:
        yield None
        return
    with server_folder() as folder, cluster(folder, found) as server:
        yield server


def _left_behind(stage: Stage, firing: Firing) -> list[str]:
    """What should have been done by now, and is not."""
    now = time.time()
    due = stage.store.execute(f"SELECT count(*), min(next_run_time) FROM {TIMETABLE}")
    left = [] if firing.any_since(now - 5) else ["nothing fires"]
    left += [] if due[0][0] else ["the timetable is empty"]
    lives = {node.life for node in stage.nodes if node.process.poll() is None}
    if len(lives) < len(stage.nodes):
        left.append("a node is not alive")
    for row in ledger.read(stage.store, "finished_at IS NULL"):
        if row.state == "queued" and now - row.due_at > SETTLED_AGE:
            left.append(f"{row} due at {clock(row.due_at)}")
        ended = firing.ended_at(row.id)
        if row.state == "running" and ended and now - ended > SETTLED_AGE:
            left.append(f"{row} ended at {clock(ended)}")
        if row.state == "running" and firing.life_of(row.id) not in (*lives, None):
            left.append(f"{row} of a dead node")
    return left
