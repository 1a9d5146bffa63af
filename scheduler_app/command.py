"""Management commands as jobs."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.core.management import call_command

from scheduler_app.exceptions import DeclarationError
from scheduler_app.text import shown


class Command:
    """A call of a management command, as a job's function."""

    def __init__(self, command: str, args: Sequence[str], options: Mapping[str, Any]) -> None:
        self.command, self._args, self._options = command, args, options
        self.__module__, self.__qualname__ = "manage.py", command

    def __call__(self) -> None:
        call_command(self.command, *self._args, **self._options)

    @property
    def line(self) -> str:
        """The command as it is typed; empty if it is not all text."""
        words = (self.command, *self._args)
        return (
            f"manage.py {' '.join(words)}" if all(isinstance(word, str) for word in words) else ""
        )

    def validate(self) -> None:
        """Raise DeclarationError for what no command line can be."""
        if not isinstance(self.command, str) or not self.command:
            raise DeclarationError(f"Bad command {shown(self.command)}: use its name.")
        for argument in self._args:
            if not isinstance(argument, str):
                raise DeclarationError(
                    f"Bad argument {shown(argument)} of {self.command}: use text, "
                    "as on the command line."
                )
        named = isinstance(self._options, Mapping) and all(
            isinstance(key, str) for key in self._options
        )
        if not named:
            raise DeclarationError(
                f"Bad options {shown(self._options)} of {self.command}: use a dict by name."
            )
