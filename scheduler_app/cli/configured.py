"""Where the server is and what is shown to it, from a file (TOML)."""

import os
import tomllib
from argparse import ArgumentParser

from scheduler_app.cli.parser import CONNECTION

VARIABLE = "SCHEDULER_CONFIG"


def configured(parser: ArgumentParser, default: str = "") -> dict[str, str]:
    """Return what the file of the environment's SCHEDULER_CONFIG says, or else that at `default`,
    which need not be there. A file that cannot be used is an error of the parser."""
    chosen = os.environ.get(VARIABLE)
    path = os.path.expanduser(chosen or default)
    if not path:
        return {}
    try:
        with open(path, "rb") as file:
            found = tomllib.load(file)
    except FileNotFoundError as error:
        if not chosen:
            return {}
        parser.error(f"{path} cannot be read: {error}")
    except (OSError, ValueError) as error:
        parser.error(f"{path} cannot be read: {error}")
    for name, value in found.items():
        if name not in CONNECTION or not isinstance(value, str):
            parser.error(f"{path}: {name!r} is not one of {', '.join(CONNECTION)}, as text.")
    return found
