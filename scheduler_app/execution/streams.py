"""The standard streams of a process that carries runs out."""

import os
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

Keep = Callable[[str], None]


def close_input() -> None:
    """Have whatever reads standard input find it empty: a job that asks a question, and the
    programs that it starts, must not wait for an answer that cannot come."""
    null = os.open(os.devnull, os.O_RDONLY)
    if null != 0:
        os.dup2(null, 0)
        os.close(null)
    os.set_inheritable(0, True)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115  # what had been read ahead is forgotten


def open_missing_output() -> None:
    """Have standard output and error lead to /dev/null where they were closed at the start: what is
    opened next would take their place, and be written to."""
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_WRONLY)
            if not _is_open(descriptor):
                os.dup2(null, descriptor)
            if null != descriptor:
                os.close(null)
            os.set_inheritable(descriptor, True)
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115  # for the whole process


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


class Tee:
    """A text stream whose text is kept, too, and that never fails: its reader may be gone or its
    disk full, and then what cannot be written is dropped."""

    def __init__(self, original: Any, keep: Keep, descriptor: int | None = None) -> None:
        self.original = original
        self._keep = keep
        self._descriptor = descriptor

    def fileno(self) -> int:
        """Return what a program is to write to that is started with this stream as its output."""
        return self.original.fileno() if self._descriptor is None else self._descriptor

    @property
    def buffer(self) -> "_BytesTee":
        return _BytesTee(self.original, self._keep)

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        text = str.__str__(text)
        self._keep(text)
        try:
            _attempt(self.original, self.original.write, text)
        except UnicodeError:  # a terminal of another encoding
            _attempt(self.original, self.original.write, ascii(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        _attempt(self.original, self.original.flush)

    def close(self) -> None:
        """Only flush: other runs still write here."""
        self.flush()

    def detach(self) -> "_BytesTee":
        """Return the buffer: other runs still write here."""
        return self.buffer

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original, name)


class _BytesTee:
    """The bytes below a Tee."""

    def __init__(self, original: Any, keep: Keep) -> None:
        self._original = original
        self._keep = keep

    def write(self, data: Any) -> int:
        data = bytes(data)
        self._keep(data.decode("utf-8", "replace"))
        _attempt(self._original, self._original.flush)  # keep the order
        _attempt(self._original, lambda: self._original.buffer.write(data))
        return len(data)

    def flush(self) -> None:
        _attempt(self._original, self._original.flush)

    def close(self) -> None:
        self.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original.buffer, name)


def _attempt(stream: Any, call: Callable[..., object], *values: object) -> None:
    try:
        call(*values)
    except UnicodeError:
        raise
    except (OSError, ValueError, AttributeError):
        _drop(stream)


def _drop(stream: Any) -> None:
    """Let what the stream holds go to /dev/null; it may work again later."""
    with suppress(Exception):
        descriptor = stream.fileno()
        saved = os.dup(descriptor)
        null = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(null, descriptor)
            stream.flush()
        finally:
            os.dup2(saved, descriptor)
            os.close(saved)
            os.close(null)
