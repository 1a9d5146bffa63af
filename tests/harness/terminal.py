"""A program on a terminal of its own, at which the test types."""

import os
import pty
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

LIMIT = 60.0
"""Seconds within which a program on a loaded machine does what it is waited for."""


class Terminal:
    """Starts the command as the leader of a session whose terminal it is."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], cwd: Path) -> None:
        self.shown = ""
        """What the program has written so far."""
        self._read_until = 0
        self._fd, side = pty.openpty()
        self._process = subprocess.Popen(
            ["setsid", "--ctty", *command], stdin=side, stdout=side, stderr=side, env=env, cwd=cwd
        )
        os.close(side)

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def until(self, *texts: str) -> str:
        """Read until the program has written one of these texts; return all that it has written
        since the last one."""
        deadline = time.monotonic() + LIMIT
        while not (ends := self._ends(texts)):
            if time.monotonic() > deadline or not self._read():
                raise AssertionError(f"none of {texts} is in {self.shown[self._read_until :]!r}")
        begin, self._read_until = self._read_until, min(ends)
        return self.shown[begin : self._read_until]

    def _ends(self, texts: Sequence[str]) -> list[int]:
        found = ((self.shown.find(text, self._read_until), len(text)) for text in texts)
        return [begin + length for begin, length in found if begin >= 0]

    def end(self) -> str:
        """Return all that the program has written, once it has ended."""
        while self._read():
            pass
        return self.shown

    def wait(self) -> int:
        """Return the exit code, once it has ended."""
        return self._process.wait(LIMIT)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._fd], [], [], LIMIT)
        try:
            data = os.read(self._fd, 65536) if ready else b""
        except OSError:  # what Linux says of a terminal whose program has ended
            data = b""
        self.shown += data.decode(errors="replace")
        return bool(data)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._fd)
