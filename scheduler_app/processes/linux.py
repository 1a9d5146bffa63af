"""What Linux does for processes that have lost their parent. Elsewhere these do nothing."""

import ctypes
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

_SET_PARENT_DEATH_SIGNAL = 1
_SET_CHILD_SUBREAPER = 36


def die_with_parent(parent: int) -> None:
    """Have this process killed when the process `parent`, its parent until now, dies. The kernel
    kills, so it holds for code that never lets go of the interpreter, too."""
    _prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def adopt_orphans() -> None:
    """Become the parent of descendants that lose theirs, so that this process can reap them even
    where process 1 does not, as in many a container."""
    _prctl(_SET_CHILD_SUBREAPER, 1)


def children(pid: int) -> set[int]:
    """Return the processes that this one has started or adopted, zombies included."""
    found = set[int]()
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with suppress(OSError):  # it has just ended
                text = Path(f"/proc/{pid}/task/{thread}/children").read_text()
                found.update(map(int, text.split()))
    return found


def kill_tree(root: int) -> None:
    """Kill this process and all that descends from it. They are stopped first, so that none starts
    another meanwhile."""
    found, added = set[int](), {root}
    while added:
        for pid in added:
            _signal(pid, signal.SIGSTOP)
        found |= added
        added = set().union(*map(children, found)) - found
    for pid in found:
        _signal(pid, signal.SIGKILL)


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def threads() -> int:
    """Return how many threads this process has, those of C libraries included; 0 if that is
    unknown."""
    return len(os.listdir("/proc/self/task")) if sys.platform == "linux" else 0


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
