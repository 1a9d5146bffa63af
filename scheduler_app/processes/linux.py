"""What Linux does for processes that have lost their parent. Elsewhere these do nothing."""

import ctypes
import os
import signal
import sys

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


def threads() -> int:
    """How many threads this process has, those of C libraries included; 0 if that is unknown."""
    return len(os.listdir("/proc/self/task")) if sys.platform == "linux" else 0


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
