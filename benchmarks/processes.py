"""Real processes, and what they cost as the kernel counts it (Linux only)."""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from benchmarks.databases import ROOT, Database

THREADS = 20
"""How many runs at a time, for both contenders: the scheduler's own default."""
START = 120.0
"""Seconds that a process may take to be ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The jobs of a measurement: so many due every so many seconds."""

    jobs: int
    every: int = 1
    overlap: str = "skip"
    saying: int = 0
    """Further jobs due at the same time, which say when their first line was reached."""
    resting: int = 0
    """Further jobs, due once a year. They catch up with all that they have missed."""
    resting_cron: str = "0 0 1 1 *"
    surging: int = 0
    """Further jobs, all due at the moments of `surge`."""
    surge: str = "* * * * * *"
    jitter: int = 0
    slots: int = 0
    """How many runs at a time, if not as many as usual; for our own scheduler alone."""
    begun: str = os.devnull
    """The file to which the plain scheduler writes when its jobs began."""
    calls: str = ""
    """The file to which the jobs append each call, if any."""

    @property
    def environment(self) -> dict[str, str]:
        return {
            "BENCH_JOBS": str(self.jobs),
            "BENCH_EVERY": str(self.every),
            "BENCH_OVERLAP": self.overlap,
            "BENCH_SAYING": str(self.saying),
            "BENCH_RESTING": str(self.resting),
            "BENCH_RESTING_CRON": self.resting_cron,
            "BENCH_SURGING": str(self.surging),
            "BENCH_SURGE": self.surge,
            "BENCH_JITTER": str(self.jitter),
            "BENCH_SLOTS": str(self.slots or THREADS),
            "BENCH_BEGUN": self.begun,
            "BENCH_CALLS": self.calls,
            "BENCH_THREADS": str(THREADS),
        }


@dataclass(frozen=True, slots=True)
class Contender:
    """A scheduler, the command that starts it, and where it records its runs."""

    title: str
    command: tuple[str, ...]
    ready: re.Pattern[str]
    succeeded: str
    """A table of its finished runs, with the columns scheduled and finished."""


OURS = Contender(
    "this scheduler",
    ("manage.py", "runscheduler", "127.0.0.1:0"),
    re.compile(r"gRPC at (\S+:\d+)"),
    "(SELECT scheduled_for AS scheduled, finished_at AS finished FROM scheduler_app_jobrun "
    "WHERE state = 'success') AS runs",
)
PLAIN = Contender(
    "django-apscheduler",
    ("-m", "benchmarks.plain"),
    re.compile("(ready)"),
    "(SELECT run_time AS scheduled, finished FROM django_apscheduler_djangojobexecution "
    "WHERE status = 'Executed') AS runs",
)


class Daemon:
    """A started contender, ready to work."""

    def __init__(self, contender: Contender, database: Database, load: Load, log: IO[str]) -> None:
        self._log = Path(log.name)
        self.process = subprocess.Popen(
            [sys.executable, *contender.command],
            cwd=ROOT,
            env=database.environment | load.environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        self.said = self._wait_for(contender.ready)

    def _wait_for(self, pattern: re.Pattern[str]) -> str:
        deadline = time.monotonic() + START
        while not (found := pattern.search(self._log.read_text())):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"not ready within {START} s: {self._log.read_text()[-5000:]}")
            time.sleep(0.05)
        return found[1]

    def cpu(self) -> float:
        """Seconds of processor time so far, of all its threads."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text()
        fields = stat.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> tuple[float, float]:
        """Resident and proportional set size, in MB."""
        rollup = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        sizes = dict(re.findall(r"^(\w+): +(\d+) kB", rollup, re.MULTILINE))
        return int(sizes["Rss"]) / 1000, int(sizes["Pss"]) / 1000

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """SIGTERM, and SIGKILL if that does not do."""
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.kill()


@contextmanager
def running(contender: Contender, database: Database, load: Load) -> Iterator[Daemon]:
    """The contender at work, until the end of the block."""
    with tempfile.NamedTemporaryFile("w", suffix=".log") as log:
        daemon = Daemon(contender, database, load, log)
        try:
            yield daemon
        finally:
            daemon.kill()


def sleep_until(moment: float) -> None:
    """Sleep until so many seconds after 1970."""
    time.sleep(max(0.0, moment - time.time()))
