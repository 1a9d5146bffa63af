"""What was found to be wrong."""

import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.soak.timeline import clock


@dataclass(frozen=True, slots=True)
class Violation:
    kind: str
    text: str
    at: float

    def __str__(self) -> str:
        return f"{clock(self.at)} {self.kind}: {self.text}"


@dataclass(slots=True)
class Violations:
    found: list[Violation] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, kind: str, text: str, at: float | None = None) -> None:
        violation = Violation(kind, text, time.time() if at is None else at)
        with self._lock:
            self.found.append(violation)
        print(f"!! {violation}", flush=True)

    def count(self) -> Counter[str]:
        return Counter(violation.kind for violation in self.found)
