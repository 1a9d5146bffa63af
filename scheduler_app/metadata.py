"""Values of a job as metadata: JSON that any database takes, whatever the values are."""

import json
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from scheduler_app.text import one_line, storable

LIMIT = 65_536
"""How many characters of JSON one run's metadata may have."""
DEPTH = 32
"""How deep values may be nested: as deep as every surface can show them."""
NOTE_LIMIT = 1_000
ERROR = "metadata_error"
"""The key of the note about what could not be kept."""
PROGRESS_TEXT = 200
"""How many characters the text of a run's progress may have."""


class Progress(NamedTuple):
    """How far a run is, as it last said; what it did not say is None or empty."""

    done: float | None = None
    total: float | None = None
    """More than 0."""
    text: str = ""
    """One printable line."""

    @property
    def percent(self) -> int | None:
        """Return the share that is done, from 0 to 100; None without a total."""
        if self.done is None or not self.total:
            return None
        return int(min(max(100 * (self.done / self.total), 0), 100))


def storable_progress(done: object, total: object, text: object) -> Progress:
    """Return the progress that a job reports: what is no finite number is None. Never raises; a job
    may call it a million times."""
    number, whole = _finite(done), _finite(total)
    if type(text) is not str or len(text) > PROGRESS_TEXT or not text.isprintable():
        text = _line(text)
    return Progress(number, whole if whole and whole > 0 else None, text)


def stored_progress(progress: object) -> dict[str, Any] | None:
    """Return this Progress as JSON, as read_progress() takes it; None if it is none. Never
    raises."""
    return progress._asdict() if type(progress) is Progress else None


def read_progress(stored: object) -> Progress:
    """Return the progress that was stored so; a spoilt one is none."""
    if not isinstance(stored, Mapping):
        return Progress()
    text = stored.get("text")
    known = text if isinstance(text, str) else ""
    return storable_progress(stored.get("done"), stored.get("total"), known)


def _finite(value: object) -> float | None:
    kind = type(value)
    if kind is not float and kind is not int and (value is None or issubclass(kind, str | bool)):
        return None
    try:
        number = float(value)  # type: ignore[arg-type]
        return number if math.isfinite(number) else None
    except BaseException:  # the value is the job's own object
        return None


def _line(text: object) -> str:
    try:
        return one_line(_text(text), PROGRESS_TEXT) if text is not None else ""
    except BaseException:  # the text is the job's own object
        return ""


def storable_metadata(values: object) -> dict[str, Any]:
    """Return a copy of these values as JSON objects. What JSON lacks becomes text; what cannot be
    read or is too much becomes a note. Never raises: the values are the job's own objects, and
    any of their methods may do anything."""
    try:
        return _storable(values)
    except BaseException as error:
        return {ERROR: f"not storable: {_name(error)}"}


def mapping(result: object) -> dict[Any, Any]:
    """Return the items of what a job has returned, if it is a mapping; otherwise none. Never
    raises."""
    try:
        return dict(result) if issubclass(type(result), Mapping) else {}  # type: ignore[call-overload]
    except BaseException as error:
        return {ERROR: f"the result is not storable: {_name(error)}"}


def _storable(values: object) -> dict[str, Any]:
    if not values:
        return {}
    stored: dict[str, Any] = {}
    notes: list[str] = []
    for key, value in dict(values).items():  # type: ignore[call-overload]  # another thread may add
        try:
            stored[_text(key)] = _plain(value, 1)
        except BaseException as error:
            notes.append(f"{_key(key)} is not storable: {_reason(error)}")
    if notes:
        stored[ERROR] = storable("; ".join(notes), NOTE_LIMIT)
    length = len(json.dumps(stored))
    if length > LIMIT:
        return {ERROR: f"{length:,} characters of JSON; {LIMIT:,} are kept"}
    return stored


class _TooDeep(Exception):
    pass


def _plain(value: Any, depth: int) -> Any:
    """Return the value as plain JSON, by its exact type: a subclass may do anything in its
    methods."""
    kind = type(value)
    if value is None or kind is bool:
        return value
    if issubclass(kind, str):
        return storable(str.__str__(value), LIMIT)
    if issubclass(kind, int):
        return _number(int.__index__(value))
    if issubclass(kind, float):
        exact = float.__float__(value)
        return exact if math.isfinite(exact) else json.dumps(exact)
    if depth > DEPTH:
        raise _TooDeep
    if issubclass(kind, dict):
        items = list(dict.items(value))
        return {_text(key): _plain(item, depth + 1) for key, item in items}
    if issubclass(kind, list | tuple):
        return [_plain(item, depth + 1) for item in kind.__iter__(value)]
    return _text(value)


def _number(value: int) -> int | str:
    """Return the number; one that some reader would take as a float out of range becomes text."""
    return value if -(2**1023) < value < 2**1023 else _digits(value)


def _digits(value: int) -> str:
    return f"about {'-' if value < 0 else ''}2^{value.bit_length() - 1}"


def _text(value: Any) -> str:
    return storable(str.__str__(str(value)), LIMIT)


def _key(key: object) -> str:
    return repr(str.__str__(key)[:100]) if isinstance(key, str) else "a value"


def _reason(error: BaseException) -> str:
    return f"it is nested more than {DEPTH} deep" if type(error) is _TooDeep else _name(error)


def _name(error: BaseException) -> str:
    return type.__getattribute__(type(error), "__name__")  # type: ignore[no-any-return]
