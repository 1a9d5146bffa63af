"""The warden as its scheduler sees it."""

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from multiprocessing.spawn import get_executable
from pathlib import Path
from typing import Any

from scheduler_app.processes import warden

Message = dict[str, Any]


class Guard:
    """Starts a warden process, and again if it has died. Never waits for it."""

    def __init__(self, end_within: float) -> None:
        self._end_within = end_within
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._orders = -1
        self._signals_to_warden, self._signals = os.pipe()
        os.set_blocking(self._signals, False)

    @property
    def pid(self) -> int | None:
        """The warden's process id; None before the first start()."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the warden unless it runs. Raises OSError."""
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._close_orders()
                self._start()

    def follow_signals(self) -> None:
        """Have the warden learn of signals, even while this interpreter is held. Call it in the
        main thread. Signals to processes that are forked from this one concern them alone."""
        signal.set_wakeup_fd(self._signals, warn_on_full_buffer=False)
        os.register_at_fork(after_in_child=_forget_signals)

    def send(self, message: Message) -> bool:
        """Send to the warden. Drop the message, and return False, if it does not listen."""
        with self._lock, suppress(OSError):
            if self._orders >= 0:
                os.write(self._orders, json.dumps(message, default=str).encode() + b"\n")
                return True
        return False

    def close(self) -> None:
        """Have the warden end."""
        with self._lock:
            self._close_orders()
            if self._process is not None:
                self._process.kill()
                self._process.wait()
            self._process = None

    def _start(self) -> None:
        there, self._orders = os.pipe()
        os.set_blocking(self._orders, False)
        ends = (there, self._signals_to_warden)
        numbers = [*ends, os.getpid(), self._end_within]
        try:
            self._process = subprocess.Popen(  # noqa: S603
                [
                    *(os.fsdecode(get_executable()), "-I", "-S", warden.__file__),
                    *map(str, numbers),
                    json.dumps([path for path in sys.path if path and Path(path).exists()]),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=ends,
                start_new_session=True,  # Ctrl-C and a stopped terminal are for the scheduler
            )
        finally:
            os.close(there)

    def _close_orders(self) -> None:
        if self._orders >= 0:
            os.close(self._orders)
            self._orders = -1


def _forget_signals() -> None:
    """Have signals end this process, which a job has forked."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
