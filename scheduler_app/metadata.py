"""Values of a job as metadata: JSON that any database takes, whatever the values are."""

import json
import math
from collections.abc import Mapping
from typing import Any

from scheduler_app.text import storable

LIMIT = 65_536
"""How many characters of JSON one run's metadata may have."""
DEPTH = 32
"""How deep values may be nested: as deep as every surface can show them."""
NOTE_LIMIT = 1_000
ERROR = "metadata_error"
"""The key of the note about what could not be kept."""


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
