"""What all threads of a process share, so that one run may change it for the others."""

import _locale
import asyncio
import ctypes
import gc
import locale
import logging
import os
import socket
import sys
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from scheduler_app.logs import SafeLogger

logger = SafeLogger(__name__)

PATH_LIMIT = 4_096
"""Bytes; a longer working directory is asked for in the slower way."""


@dataclass(frozen=True, slots=True)
class _Item:
    name: str
    read: Callable[[], Any]
    """Returns something that can be compared without running a job's code."""
    write: Callable[[Any], object]


class ProcessState:
    """Puts back, after each run, what it has changed for the whole process. A change that other
    active runs may have made, and may rely on, is put back when they have ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._active: set[object] = set()
        self._suspects: dict[str, set[object]] = {}
        self._items = [*_stream_items(), _policy_item(), _handlers_item(), _loggers_item()]
        self._items += [_directory_item(), *_ITEMS]
        self._reads = [item.read for item in self._items]
        self._values = [read() for read in self._reads]

    def close(self) -> None:
        """Put nothing back any more."""
        with self._lock:
            self._items = self._reads = self._values = []

    def enter(self, run: object) -> None:
        with self._lock:
            self._active.add(run)

    def leave(self, run: object) -> list[str]:
        """Return the names of what was put back."""
        with self._lock:
            self._active.discard(run)
            found = self._found()
            if found == self._values:
                self._suspects.clear()
                return []
            changed = zip(self._items, found, self._values, strict=True)
            return [item.name for item, now, before in changed if self._put_back(item, now, before)]

    def _found(self) -> list[Any]:
        """Return the present values; None for each that cannot be read."""
        try:
            return [read() for read in self._reads]  # as quick as can be: it follows each run
        except Exception:
            return [_read(item) for item in self._items]

    def _put_back(self, item: _Item, now: Any, before: Any) -> bool:
        if now == before:
            self._suspects.pop(item.name, None)
            return False
        suspects = self._suspects.setdefault(item.name, set(self._active))
        suspects &= self._active
        if suspects:
            return False
        del self._suspects[item.name]
        try:
            item.write(before)
        except Exception as error:  # such as a working directory that has been deleted
            logger.warning("cannot put %s back: %s", item.name, error)
        return True


def _read(item: _Item) -> Any:
    try:
        return item.read()
    except Exception:  # the working directory has been deleted, a stream has been put away
        return None


def _stream_items() -> list[_Item]:
    return [_stream_item(name, getattr(sys, name)) for name in ("stdin", "stdout", "stderr")]


def _stream_item(name: str, stream: object) -> _Item:
    return _Item(
        f"sys.{name}", lambda: id(getattr(sys, name, None)), lambda _: setattr(sys, name, stream)
    )


def _directory_item() -> _Item:
    """Read the working directory without releasing the interpreter's lock. os.getcwd() releases it:
    called after each run, it made the pool's threads take turns several times a run, which took
    longer than the run. The lock of the ProcessState guards the buffer."""
    getcwd = ctypes.PyDLL(None).getcwd
    buffer = ctypes.create_string_buffer(PATH_LIMIT)

    def read() -> bytes:
        return buffer.value if getcwd(buffer, PATH_LIMIT) else os.getcwdb()  # or raise the reason

    return _Item("the working directory", read, os.chdir)


def _policy_item() -> _Item:
    policy = asyncio.get_event_loop_policy()
    return _Item(
        "the event loop policy",
        lambda: id(asyncio.get_event_loop_policy()),
        lambda _: asyncio.set_event_loop_policy(policy),
    )


def _handlers_item() -> _Item:
    """Put back handlers that a job removed from the root logger; it may add others."""
    handlers = list(logging.root.handlers)

    def add(_: object) -> None:
        for handler in handlers:
            logging.root.addHandler(handler)  # at most once

    return _Item(
        "the root logger's handlers",
        lambda: all(handler in logging.root.handlers for handler in handlers),
        add,
    )


def _loggers_item() -> _Item:
    """Enable loggers that a job disabled when it configured logging anew. That disables all that
    exist, so this module's own tells."""
    disabled = {name for name, found in _loggers() if found.disabled}

    def enable(_: object) -> None:
        for name, found in _loggers():
            found.disabled = name in disabled

    own = logging.getLogger(__name__)
    return _Item("disabled loggers", lambda: own.disabled, enable)


def _loggers() -> list[tuple[str, logging.Logger]]:
    found = list(logging.root.manager.loggerDict.items())
    return [(name, one) for name, one in found if isinstance(one, logging.Logger)]


def _raising_filters() -> list[Any]:
    return [found for found in warnings.filters if found[0] == "error"]


def _set_raising_filters(raising: list[Any]) -> None:
    for found in _raising_filters():
        if found not in raising:
            warnings.filters.remove(found)  # type: ignore[attr-defined]
    warnings._filters_mutated()  # type: ignore[attr-defined]


_ITEMS = [
    _Item(
        "the locale",
        partial(_locale.setlocale, locale.LC_ALL, None),  # three times as quick as locale's own
        lambda value: locale.setlocale(locale.LC_ALL, value),
    ),
    _Item("warnings filters that raise", _raising_filters, _set_raising_filters),
    _Item("the recursion limit", sys.getrecursionlimit, sys.setrecursionlimit),
    _Item("the switch interval", sys.getswitchinterval, sys.setswitchinterval),
    _Item("garbage collection", gc.isenabled, lambda is_on: gc.enable() if is_on else gc.disable()),
    _Item("the socket timeout", socket.getdefaulttimeout, socket.setdefaulttimeout),
    _Item("the trace hook", threading.gettrace, threading.settrace),
    _Item("the profile hook", threading.getprofile, threading.setprofile),
    _Item("the root logger's level", lambda: logging.root.level, logging.root.setLevel),
    _Item("the disabled log level", lambda: logging.root.manager.disable, logging.disable),
]
