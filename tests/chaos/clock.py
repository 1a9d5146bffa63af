"""A wall clock that a test can step, for the processes that are started with its environment.

Their monotonic clock stays true, as a machine's does when somebody sets its clock."""

from glob import glob
from pathlib import Path


def library() -> str | None:
    """Where libfaketime is, the variant for threads; None if it is not installed."""
    found = glob("/usr/lib/*/faketime/libfaketimeMT.so.1") + glob(
        "/usr/local/lib/faketime/libfaketimeMT.so.1"
    )
    return found[0] if found else None


class Clock:
    def __init__(self, folder: Path, library: str) -> None:
        self._offset = folder / "offset"
        self.env = {
            "LD_PRELOAD": library,
            "FAKETIME_TIMESTAMP_FILE": str(self._offset),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_NO_CACHE": "1",
        }
        self.step(0)

    def step(self, seconds: int) -> None:
        """Set it to this many seconds after the true time (before it, if negative)."""
        draft = self._offset.with_suffix(".draft")
        draft.write_text(f"{seconds:+d}")
        draft.rename(self._offset)
