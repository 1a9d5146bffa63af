"""Errors of a command line that say what may be meant, as those of Python 3.14 can."""

from argparse import Action, ArgumentError, ArgumentParser, Namespace
from collections.abc import Sequence
from typing import Any

from scheduler_app.text import nearest, shown


def suggest(parser: ArgumentParser) -> None:
    """Have the parser's errors about an unknown choice or option name the one that may be
    meant."""
    check, parse = parser._check_value, parser.parse_known_args

    def checked(action: Action, value: Any) -> None:
        try:
            check(action, value)
        except ArgumentError:
            if near := nearest(str(value), map(str, action.choices or ())):
                raise ArgumentError(action, f"{_unknown(value, near)}") from None
            raise

    def parsed(
        args: Sequence[str] | None = None, namespace: Namespace | None = None
    ) -> tuple[Namespace, list[str]]:
        found, left = parse(args, namespace)
        for option in (word.partition("=")[0] for word in left if word.startswith("--")):
            if near := nearest(option, _options(parser)):
                parser.error(_unknown(option, near))
        return found, left

    for name, function in (("_check_value", checked), ("parse_known_args", parsed)):
        setattr(parser, name, function)


def _unknown(value: Any, near: str) -> str:
    return f"there is no {shown(value)}. Did you mean {near}?"


def _options(parser: ArgumentParser) -> list[str]:
    return [option for action in parser._actions for option in action.option_strings]
