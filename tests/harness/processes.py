"""What the kernel knows about processes."""

import os
import time
from collections.abc import Callable
from pathlib import Path


def parent_and_state(pid: int) -> tuple[int, str]:
    """(0, "X") if there is no such process."""
    try:
        state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
    except (FileNotFoundError, ProcessLookupError):
        return 0, "X"
    return int(parent), state


def is_alive(pid: int) -> bool:
    return parent_and_state(pid)[1] not in "XZ"


def descendants(pid: int) -> set[int]:
    """Zombies too."""
    parents = {
        int(name): parent_and_state(int(name))[0] for name in os.listdir("/proc") if name.isdigit()
    }
    found, added = set[int](), {pid}
    while added:
        added = {child for child, parent in parents.items() if parent in added} - found
        found |= added
    return found


def open_files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def memory(pid: int) -> int:
    """What it holds, in kB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def seconds_until(happens: Callable[[], object], limit: float = 30) -> float:
    """How long it took to happen."""
    began = time.monotonic()
    while not happens():
        assert time.monotonic() - began < limit, f"not within {limit} s"
        time.sleep(0.01)
    return time.monotonic() - began
