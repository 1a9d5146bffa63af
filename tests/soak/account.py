"""What the jobs say themselves of what they did: lines appended to one file, without a database."""

import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

VARIABLE = "SOAK_ACCOUNT"
LIFE = "SOAK_LIFE"
"""The environment variable that names the life of a node: "1.3" is the third process of node 1."""


@dataclass(frozen=True, slots=True)
class Entry:
    what: str
    """begin, or the outcome that is right for the run: ok, bad or any."""
    job: str
    scheduled_for: datetime
    attempt: int
    run: int
    life: str
    pid: int
    at: float
    """Seconds since the epoch, by the true clock."""
    detail: str


class Writer:
    """Keeps the file open: a process that may open no more files still writes its account."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_APPEND | os.O_CREAT | os.O_WRONLY)
        self._life = os.environ.get(LIFE, "?")

    def write(
        self, what: str, job: str, moment: datetime, attempt: int, run: int, detail: str
    ) -> None:
        words = [what, job, moment.astimezone(UTC).isoformat(), attempt, run, self._life]
        line = " ".join(map(str, [*words, os.getpid(), repr(time.time()), detail or "-"]))
        os.write(self._file, f"{line}\n".encode())


class Reader:
    """Reads the file from where it stopped the last time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def new(self) -> list[Entry]:
        with self._path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        return [_entry(line) for line in whole.decode().splitlines()]


def _entry(line: str) -> Entry:
    what, job, moment, attempt, run, life, pid, at, detail = line.split(" ")
    return Entry(
        what=what,
        job=job,
        scheduled_for=datetime.fromisoformat(moment),
        attempt=int(attempt),
        run=int(run),
        life=life,
        pid=int(pid),
        at=float(at),
        detail=detail,
    )
