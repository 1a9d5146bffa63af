"""The text that a run has logged and printed, bounded."""

import re
import threading
from collections import deque

NOTE = "\n[... {:,} characters left out ...]\n"
NOTE_ROOM = 60
PIECES = 1_000
_NOTES = re.compile(r"\n\[\.\.\. ([\d,]{1,25}) characters left out \.\.\.\]\n")


def parts(text: str) -> tuple[str, int, str]:
    """Return the head of a log, how many characters are left out after it, and its tail. A note
    that the job itself has written is not at the place of ours."""
    for note in _NOTES.finditer(text):
        if note.start() == (len(text) - len(note[0])) // 2:
            return text[: note.start()], int(note[1].replace(",", "")), text[note.end() :]
    return text, 0, ""


class RunLog:
    """Keeps at most `limit` characters: the first and the last ones, and between them a line that
    says how many were left out. Any thread may write."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._head_room = self._head_size = max(0, limit - NOTE_ROOM) // 2
        self._head: list[str] = []
        self._tail: deque[str] = deque()
        self._tail_length = 0
        self._left_out = 0
        self._is_closed = False
        self.size = 0
        """How many characters were written."""
        self._lock = threading.RLock()  # a signal handler may log in the midst of a write

    def write(self, text: str) -> None:
        with self._lock:
            if self._is_closed:
                return
            self.size += len(text)
            if self._head_room:
                self._head.append(text[: self._head_room])
                text = text[self._head_room :]
                self._head_room -= len(self._head[-1])
            if text:
                self._tail.append(text)
                self._tail_length += len(text)
                if self._tail_length > 2 * self._limit or len(self._tail) > PIECES:
                    self._shorten_tail(self._limit - self._head_size)

    def text(self) -> str:
        """Return the text as it was written; storable() makes it fit for a database."""
        with self._lock:
            if not (self._head or self._tail):
                return ""
            tail_size = self._limit - self._head_size
            self._shorten_tail(tail_size)
            head, tail = "".join(self._head), "".join(self._tail)
            if not self._left_out:
                return head + tail
            shown = max(0, tail_size - NOTE_ROOM)
            note = NOTE.format(self._left_out + len(tail) - shown)
            return (head + note + tail[len(tail) - shown :])[: self._limit]

    def close(self) -> str:
        """Return the text. What is written from now on, by threads that outlive the run, is left
        out."""
        with self._lock:
            self._is_closed = True
            return self.text()

    def _shorten_tail(self, size: int) -> None:
        """Join its pieces and keep the last `size` characters."""
        tail = "".join(self._tail)
        kept = tail[-size:]
        self._left_out += len(tail) - len(kept)
        self._tail_length = len(kept)
        self._tail = deque([kept])
