"""Checks of the fields of requests, as far as several calls share them."""

from typing import Any

from scheduler_app.exceptions import RequestError
from scheduler_app.text import is_storable, shown


def check_text(**fields: str) -> None:
    """Raise RequestError for a text that no database stores."""
    for name, text in fields.items():
        if not is_storable(text):
            raise RequestError(name, f"Bad {name} {shown(text)}: no database stores such text.")


def one_of(field: str, value: str, known: Any) -> str:
    """Return the value. Raises RequestError if it is not one of these."""
    if value not in list(known):
        raise RequestError(field, f"Bad {field} {shown(value)}: use {all_of(known)}.")
    return value


def all_of(names: Any) -> str:
    return ", ".join(names)
