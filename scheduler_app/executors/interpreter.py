"""The command line of a fresh interpreter."""

import json
import os
import subprocess
import sys
from multiprocessing import spawn

_BOOT = (
    "import importlib, json, sys; "
    "sys.path[:], arguments, module, values = json.loads(sys.argv.pop()); "
    "sys.argv[:] = arguments; importlib.import_module(module).main(*values)"
)


def command(module: str, *values: int | str) -> list[str]:
    """What starts an interpreter with the options, import path and sys.argv of this one, to call
    the module's `main` with these values. A host whose sys.executable is no Python names one by
    multiprocessing.set_executable()."""
    flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    boot = json.dumps([sys.path, sys.argv, module, values])
    return [os.fsdecode(spawn.get_executable()), *flags, "-c", _BOOT, boot]
