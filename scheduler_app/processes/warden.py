"""A small process beside a scheduler's, for what that cannot do while a job holds its interpreter's
lock, or while it hangs at its stop: say that it is alive, and end it.

It runs as a script, without Django and without our other modules, so that it takes little memory.
It vouches for nothing but that the process exists and is not stopped; what it says of the work was
written by the scheduler beforehand.

The scheduler sends JSON objects, one a line:
  {"beat": {...}, "after": seconds}  If you hear nothing for so long, beat thus, again and again.
  {"beat": null}                     Do not beat.
  {"end_within": seconds}            End the scheduler if it still runs then.
  {"start_within": seconds}          End the scheduler unless another such order comes until then.
  {"start_within": null}             It has started.
The numbers of the signals that the scheduler gets arrive on a pipe of their own: the first one
sets a limit, the second ends the scheduler at once."""

import importlib
import json
import os
import selectors
import signal
import sys
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

WATCH = 0.5
"""How often, in seconds, it looks."""
FROZEN = 4 * WATCH
"""Longer between two looks, in seconds, and it stood still, not only the scheduler."""
LAST_SECONDS = 1.0
"""How long, in seconds, the scheduler may take to obey a second signal."""


class Warden:
    """Serves one scheduler, its parent, until that is gone."""

    def __init__(self, orders: int, signals: int, scheduler: int, end_within: float) -> None:
        self._orders = orders
        self._signals = signals
        self._scheduler = scheduler
        self._end_within = end_within
        self._end_at = self._start_until = float("inf")
        self._stops = 0
        self._rest = b""
        self._beat: dict[str, Any] | None = None
        self._beat_at = float("inf")
        self._selector = selectors.DefaultSelector()
        self._selector.register(orders, selectors.EVENT_READ, self._take_orders)
        self._selector.register(signals, selectors.EVENT_READ, self._take_signals)

    def run(self) -> None:
        now = time.monotonic()
        while os.getppid() == self._scheduler:
            self._listen(WATCH)
            self._listen(0)  # after a freeze the first returns without having looked
            last, now = now, time.monotonic()
            if now - last > FROZEN:
                self._start_until += now - last  # it may have missed that the start is over
            if now >= min(self._end_at, self._start_until):
                os.kill(self._scheduler, signal.SIGKILL)
                return
            if self._beat and now >= self._beat_at and is_going(self._scheduler):
                self._beat_at = now + self._beat["every"]
                self._say(self._beat)

    def _listen(self, seconds: float) -> None:
        for key, _ in self._selector.select(seconds):
            key.data()

    def _take_orders(self) -> None:
        data = os.read(self._orders, 65_536)
        if not data:
            self._selector.unregister(self._orders)
            self._beat = None
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            with suppress(ValueError):  # one that did not fit into a full pipe
                self._obey(json.loads(line))

    def _obey(self, order: dict[str, Any]) -> None:
        if "beat" in order:
            self._beat = order["beat"]
            if self._beat:
                prepare(self._beat["driver"])
            self._beat_at = time.monotonic() + order.get("after", 0.0)
        if "start_within" in order:
            seconds = order["start_within"]
            self._start_until = float("inf") if seconds is None else time.monotonic() + seconds
        if "end_within" in order:
            self._end_at = min(self._end_at, time.monotonic() + order["end_within"])

    def _take_signals(self) -> None:
        data = os.read(self._signals, 64)
        if not data:
            self._selector.unregister(self._signals)
        for number in data:
            if number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                self._stops += 1
                limit = self._end_within if self._stops == 1 else LAST_SECONDS
                self._end_at = min(self._end_at, time.monotonic() + limit)

    def _say(self, beat: dict[str, Any]) -> None:
        try:
            driver = importlib.import_module(beat["driver"])
            with closing(driver.connect(**beat["parameters"])) as connection:
                cursor = connection.cursor()
                for statement, values in beat["statements"]:
                    cursor.execute(statement, values)
                connection.commit()
        except Exception as error:  # it tries again
            with suppress(OSError):
                print(f"scheduler-warden: cannot beat: {error}", file=sys.stderr, flush=True)


def prepare(driver: str) -> None:
    """Import the driver of the database now: on a busy machine that takes longer than a heartbeat,
    and the first one must not wait for it."""
    with suppress(Exception):  # the heartbeat itself reports it
        importlib.import_module(driver)


def is_going(pid: int) -> bool:
    """Return whether the process exists and is neither stopped nor dead. False where the system
    does not tell."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state not in "TtZXx"


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it ends with its scheduler
    orders, signals, scheduler = map(int, sys.argv[1:4])
    sys.path[:] = json.loads(sys.argv[5])
    Warden(orders, signals, scheduler, float(sys.argv[4])).run()


if __name__ == "__main__":
    main()
