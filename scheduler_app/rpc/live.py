"""The answer to GetSchedulerStatus, kept as bytes: one for all who ask."""

import time
from threading import Lock
from typing import Any

from scheduler_app.exceptions import Busy
from scheduler_app.rpc import looking
from scheduler_app.rpc.messages import fill
from scheduler_app.rpc.stubs import memory_pb2 as pb
from scheduler_app.rpc.values import header_values, job_values
from scheduler_app.status.current import JobStatus
from scheduler_app.status.live import LiveStatus

FRESH = 0.25
"""Seconds for which an answer is given again."""
MARGIN = 1.0
"""Seconds that a call waits for the look of another one, beyond what one statement may take."""
JOBS_TAG = b"\x12"
"""Of field 2, `jobs`, as protobuf writes it before each of them."""


class StatusAnswer:
    """Of one server. Any thread may call it; one at a time reads the database, for all that wait.
    If that fails, they all fail: an old answer would be a lie."""

    def __init__(self) -> None:
        self._live = LiveStatus()
        self._lock = Lock()
        self._chunks: dict[str, bytes] = {}
        self._bytes = b""
        self._read_at = float("-inf")
        """When the last look began of which the answer is."""
        self._tried_at = float("-inf")
        self._error: BaseException | None = None
        self._expired_at = float("-inf")

    def expire(self) -> None:
        """Have the next answer contain what has been changed until now."""
        self._expired_at = time.monotonic()

    def get(self) -> bytes:
        """Return a GetSchedulerStatusResponse. Raises what the database raises."""
        now = time.monotonic()
        if self._is_fresh(now):
            return self._bytes
        if not self._lock.acquire(timeout=looking.READ_TIME + MARGIN):
            raise Busy("The status is being read for others, and that takes long. Try again.")
        try:
            if self._tried_at < now:
                self._try()
            if self._error:
                raise self._error
            return self._bytes
        finally:
            self._lock.release()

    def snapshot(self) -> tuple[str, Any]:
        """Return a GetSchedulerStatusResponse, and the position in the feed of which it is: it may
        have a little of what follows, too."""
        self.get()
        with self._lock:
            return self._live.position, pb.GetSchedulerStatusResponse.FromString(self._bytes)

    def _is_fresh(self, now: float) -> bool:
        return self._error is None and self._read_at > max(now - FRESH, self._expired_at)

    def _try(self) -> None:
        began = time.monotonic()
        try:
            looking.reading(self._refresh)
            self._error, self._read_at = None, began
        except BaseException as error:
            self._error = error
        self._tried_at = time.monotonic()

    def _refresh(self) -> None:
        names = self._live.refresh()
        jobs = self._live.jobs
        if names is None:
            self._chunks = {name: _chunk(job) for name, job in jobs.items()}
        else:
            self._chunks.update((name, _chunk(jobs[name])) for name in names if name in jobs)
        header = pb.GetSchedulerStatusResponse(**header_values(self._live.health))
        self._bytes = b"".join([header.SerializeToString(), *self._chunks.values()])


def _chunk(job: JobStatus) -> bytes:
    message: Any = fill(pb.JobStatusProto(), job_values(job))
    data: bytes = message.SerializeToString()
    return b"".join([JOBS_TAG, _varint(len(data)), data])


def _varint(number: int) -> bytes:
    """Return the number as protobuf writes it."""
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)
