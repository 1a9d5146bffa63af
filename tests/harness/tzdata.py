"""Time zone files of a test's own, as a tzdata package would bring them."""

import struct
import zoneinfo
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from scheduler_app import zones
from scheduler_app.cron import fires

Steps = Sequence[tuple[datetime | None, int]]
"""From when (None: ever) which offset, in hours, holds."""


@contextmanager
def tzdata(directory: Path, files: Mapping[str, Steps]) -> Iterator[None]:
    """Have this process find these zones, as if it had started with them."""
    for name, steps in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_tzif(steps))
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath([str(directory), *before])
    _forget()
    try:
        yield
    finally:
        zoneinfo.reset_tzpath(before)
        _forget()


def _forget() -> None:
    zoneinfo.ZoneInfo.clear_cache()
    for cached in (zones.offsets, fires.zone_of, fires._next_fire):
        cached.cache_clear()


def _tzif(steps: Steps) -> bytes:
    """RFC 8536, version 2, without a rule for the time after the last step."""
    moments = [round(begin.timestamp()) for begin, _ in steps if begin]
    offsets = [hours * 3600 for _, hours in steps]
    types = b"".join(struct.pack(">lbb", offset, 0, 0) for offset in offsets)
    body = struct.pack(f">{len(moments)}q", *moments)
    body += bytes(range(1, len(offsets))) + types + b"LMT\0"
    counts = (0, 0, 0, len(moments), len(offsets), 4)
    header = b"TZif2" + bytes(15) + struct.pack(">6l", *counts)
    empty = b"TZif2" + bytes(15) + struct.pack(">6l", 0, 0, 0, 0, 1, 4)
    return empty + struct.pack(">lbb", 0, 0, 0) + b"LMT\0" + header + body + b"\n\n"
