"""Which parts of a traceback are of the project's own code."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

FRAME = re.compile(r'^[\s|+]*File "(?P<file>.*)", line \d+')
FOREIGN = re.compile(
    r"^<frozen |[\\/](site|dist)-packages[\\/]|[\\/]lib(64)?[\\/]python\d|[\\/]scheduler_app[\\/]"
    r"|[\\/]Lib[\\/](?!site)"
)
"""Installed packages, the standard library and what calls the job."""


@dataclass(frozen=True, slots=True)
class Part:
    """Lines of a traceback that belong together."""

    text: str
    is_own: bool
    """Of the project's own code; or no frame at all, such as the error itself."""
    frames: int
    """How many frames it has."""


def parts(traceback: str) -> list[Part]:
    """Return the traceback in parts, which together are the whole text. Of a traceback without a
    frame of the project, all is its own."""
    frames = [(text, _is_frame(text), _is_foreign(text)) for text in _frames(traceback)]
    has_own = any(is_frame and not is_foreign for _, is_frame, is_foreign in frames)
    found = []
    for (_, is_foreign), group in groupby(frames, key=lambda each: each[1:]):
        texts = list(group)
        text = "".join(each[0] for each in texts)
        found.append(Part(text, not (is_foreign and has_own), sum(each[1] for each in texts)))
    return found


def _frames(traceback: str) -> Iterator[str]:
    """Yield each frame with its lines of code, and what is between frames."""
    text, indent = "", -1
    for line in traceback.splitlines(keepends=True):
        begins = bool(FRAME.match(line))
        ends = indent >= 0 and not _is_inside(line, indent)
        if text and (begins or ends):
            yield text
            text = ""
        if begins or ends:
            indent = _indent(line) if begins else -1
        text += line
    if text:
        yield text


def _is_inside(line: str, indent: int) -> bool:
    """Return whether a line belongs to the frame with this indent above it."""
    words = line.lstrip(" |")
    if words.startswith(("+-", "[Previous line")):
        return not words.startswith("+")
    return bool(words.strip()) and _indent(line) > indent


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" |+"))


def _is_frame(text: str) -> bool:
    return bool(FRAME.match(text))


def _is_foreign(text: str) -> bool:
    frame = FRAME.match(text)
    return bool(frame and FOREIGN.search(frame["file"]))
