"""A job of another scheduler, as it would be declared here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.module_loading import import_string

from scheduler_app.text import shown

Fires = Callable[[datetime], Iterator[datetime]]
"""Gives all moments after one, in order."""
PATH = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)+")


@dataclass(slots=True, kw_only=True)
class Entry:
    """What becomes of one entry of the source."""

    name: str
    """As the source calls it."""
    says: str
    """What the source says of it, in its own words, for a comment."""
    function: str = ""
    """The dotted path of the function that is called; or else there is a command."""
    command: Sequence[str] = ()
    """A management command and its arguments; or else there is a shell line."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Those of the management command, as for call_command()."""
    shell: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    """Those of @job."""
    notes: list[str] = field(default_factory=list)
    """What is otherwise here, a sentence each."""
    is_disabled: bool = False
    problem: str = ""
    """Why it cannot be translated; empty if it can."""
    fires: Fires | None = None
    """When it fires there; None: there is nothing to compare."""


def callable_at(path: object) -> str:
    """Return why this is not the path of a function of the project; empty if it is."""
    if not isinstance(path, str) or not PATH.fullmatch(path):
        return f"{shown(path)} is no path of a function, such as 'app.tasks.send'"
    try:
        function = import_string(path)
    except Exception as error:  # it is the project's code
        return f"{path} cannot be imported: {shown(error)}"
    return "" if callable(function) else f"{path} is not callable"
