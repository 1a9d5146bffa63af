"""A disk that can be full: a small one of the test's own, or a limit where none may be mounted."""

import errno
import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.chaos.nodes import Node


class SmallDisk:
    """A mounted tmpfs; a ballast fills it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        with self._ballast.open("ab", buffering=0) as ballast:
            for size in (65_536, 4_096):
                _write_until_full(ballast.fileno(), size)

    def free(self) -> None:
        self._ballast.unlink()


def _write_until_full(file: int, size: int) -> None:
    try:
        while True:
            os.write(file, b"x" * size)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise


class LimitedProcess:
    """No file of the process may grow beyond its limit: needs no privilege."""

    LIMIT = 1024 * 1024

    def __init__(self, node: Node) -> None:
        self._pid = node.pid
        _, self._hard = resource.prlimit(self._pid, resource.RLIMIT_FSIZE)

    def fill(self) -> None:
        resource.prlimit(self._pid, resource.RLIMIT_FSIZE, (self.LIMIT, self._hard))

    def free(self) -> None:
        resource.prlimit(self._pid, resource.RLIMIT_FSIZE, (self._hard, self._hard))


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[SmallDisk | None]:
    """A tmpfs at this folder; None where this user may not mount."""
    folder.mkdir()
    size = f"size={megabytes}m,mode=0777"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", size, "chaos", folder], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        yield None
        return
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
