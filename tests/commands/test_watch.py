"""What watches the life of a scheduler process."""

import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

from scheduler_app.conf import scheduler_settings
from scheduler_app.management.watch import Watch


class DeafGuard:
    """Its warden is frozen at first, and the pipe to it full: messages are dropped."""

    def __init__(self, drops: int) -> None:
        self._drops = drops
        self.has_heard = threading.Event()

    def send(self, message: dict[str, Any]) -> bool:
        if message != {"start_within": None}:
            return True
        self._drops -= 1
        if self._drops < 0:
            self.has_heard.set()
        return self._drops < 0


def test_warden_that_did_not_listen_is_told_of_the_start_later() -> None:
    """Or it would end a scheduler that works."""
    guard = DeafGuard(drops=2)
    liveness = SimpleNamespace(
        problem=None,
        database_answers=True,
        looked_at=time.monotonic(),
        thread=threading.current_thread(),
    )
    watch = Watch(
        cast(Any, SimpleNamespace(liveness=liveness)), cast(Any, guard), scheduler_settings()
    )

    def work(_: threading.Event, started: Callable[[], None]) -> bool:
        started()
        return guard.has_heard.wait(30)

    assert watch.run(work)
