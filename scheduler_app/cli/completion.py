"""`completion SHELL`: prints what has a shell complete our commands, made by shtab."""

from argparse import Action, ArgumentParser
from collections.abc import Iterator
from functools import partial
from importlib.resources import files
from importlib.util import find_spec
from typing import Any

from scheduler_app.cli.codes import ExitCode
from scheduler_app.cli.names import kind_of
from scheduler_app.cli.typos import suggest
from scheduler_app.exceptions import SchedulerError

SHELLS = ("bash", "zsh", "fish")
NO_SHTAB = "shtab is not installed (pip install 'django-memory-scheduler[cli]')."
MANAGE = "manage.py"
SHELL_FILE = {"bash": "bash.sh", "zsh": "zsh.sh", "fish": "fish.fish"}
REGISTERS = {
    "bash": "\ncomplete -o ",
    "zsh": "\nif [[ $zsh_eval_context",
}
"""With what shtab's scripts begin to say which function completes the program: ours does."""
HELP = "Print a script with which the shell completes commands, options and names of jobs."


class NoShtab(SchedulerError):
    """The script cannot be made."""


def add_command(subparsers: Any, parser: ArgumentParser, program: str) -> None:
    """Add it to the subparsers of this parser, with `local` as the function that carries it
    out."""
    added: ArgumentParser = subparsers.add_parser("completion", help=HELP, description=HELP)
    added.add_argument("shell", choices=SHELLS, metavar="SHELL", help=f"{', '.join(SHELLS)}.")
    suggest(added)
    added.set_defaults(local=partial(_print, parser, program))


def _print(
    parser: ArgumentParser, program: str, stdout: Any, _: Any, *, shell: str, **__: Any
) -> int:
    stdout.write(script(parser, program, shell))
    return ExitCode.DONE


def script(parser: ArgumentParser, program: str, shell: str) -> str:
    """Return what this shell sources to complete the program of this parser. Raises NoShtab."""
    if find_spec("shtab") is None:
        raise NoShtab(NO_SHTAB)
    import shtab

    root = _below_manage(parser) if program == MANAGE else parser
    for command, action in _actions(root):
        if kind := kind_of(command, action):
            action.complete = _completed(kind)  # type: ignore[attr-defined]
    made: str = shtab.complete(root, shell, root_prefix=program, preamble=_text(SHELL_FILE[shell]))
    if marker := REGISTERS.get(shell):
        made = made.partition(marker)[0]
    return f"{made}\n{_registered(program, shell)}\n"


def _below_manage(parser: ArgumentParser) -> ArgumentParser:
    """Return a parser of manage.py, in which this one is that of its command `scheduler`."""
    root = ArgumentParser(prog=MANAGE)
    root.add_subparsers(metavar="COMMAND").add_parser(
        "scheduler", help="Scheduled jobs.", parents=[parser], add_help=False
    )
    return root


def _actions(parser: ArgumentParser, command: str = "") -> Iterator[tuple[str, Action]]:
    """Yield each argument, with the name of its command."""
    for action in parser._actions:
        yield command, action
        if isinstance(action.choices, dict):
            for name, below in action.choices.items():
                yield from _actions(below, name)


def _completed(kind: str) -> Any:
    if kind == "file":
        return kind
    return {
        "bash": f"_scheduler_{kind}",
        "zsh": f"_scheduler_{kind}",
        "fish": f"(_scheduler_names {kind})",
    }


def _registered(program: str, shell: str) -> str:
    """Return the lines that put our function in the place of shtab's, which ours calls."""
    ours = f"_scheduler_{program.replace('.', '_')}"
    if shell == "zsh":
        is_loaded_by_compinit = f'if (( $+compstate )); then\n  {ours} "$@"\nelse'
        return f"{is_loaded_by_compinit}\n  compdef {ours} {program}\nfi"
    if shell == "fish":
        return _text("python.fish") if program == MANAGE else ""
    if program == MANAGE:
        return "\n".join(f"_scheduler_take {name}" for name in (MANAGE, "python", "python3"))
    return f"complete -o default -F {ours} {program}"


def _text(name: str) -> str:
    return (files("scheduler_app.cli") / "shells" / name).read_text()
