"""Management commands as jobs."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.core.management import CommandError, call_command, get_commands, load_command_class

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

    def fault(self) -> str:
        """Return why the command, which there is, cannot be called so; empty if it can."""
        try:
            command = load_command_class(get_commands()[self.command], self.command)
            command.execute = lambda *_, **__: None  # type: ignore[method-assign]
            call_command(command, *self._args, **self._options)
        except (Exception, SystemExit) as error:  # it is the project's, and may not be importable
            return shown(error) if not isinstance(error, CommandError) else str(error)
        return ""

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
