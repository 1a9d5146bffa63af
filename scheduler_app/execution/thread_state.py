"""What a thread keeps for itself, and whether a run has left something there."""

import ctypes
import sys
from collections.abc import Mapping
from typing import Any

_get_dict = ctypes.pythonapi.PyThreadState_GetDict
_get_dict.restype = ctypes.c_void_p  # a borrowed reference
_get_dict.argtypes = []
_HARMLESS = {"Py_Repr"}
"""What the interpreter itself keeps of nested calls of repr()."""


class ThreadState:
    """The state of a thread that has carried nothing out yet. Make it in that thread."""

    def __init__(self) -> None:
        self._hooks = _hooks()
        self._values = _values()

    def is_fit(self) -> bool:
        """Return whether a run in this thread has left it as it was: without thread-local values
        (database connections, an event loop, whatever a library keeps) and without hooks."""
        return not _matters(self._values) and _hooks() == self._hooks


def has_values() -> bool:
    """Return whether this thread has thread-local values."""
    return _matters(_values())


def _matters(values: Mapping[str, Any]) -> bool:
    return bool(values) and not values.keys() <= _HARMLESS


def _values() -> Mapping[str, Any]:
    """Return the dictionary that this thread keeps for as long as it lives."""
    address = _get_dict()
    return ctypes.cast(address, ctypes.py_object).value if address else {}


def _hooks() -> tuple[object, object]:
    return sys.gettrace(), sys.getprofile()
