"""A start that hangs."""

import os
import threading
from pathlib import Path


def hang(server: object) -> None:
    """Say that the server is being started, and do not return."""
    Path(os.environ["SICK_START"]).touch()
    threading.Event().wait()
