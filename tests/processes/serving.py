"""What worker processes of these tests do."""

import atexit
import os
import signal
import sys
import time

from scheduler_app.processes.protocol import Channel


def echo(channel: Channel, output: int) -> None:
    for message in channel.receive() or []:
        channel.send(message)


def tell(channel: Channel, output: int) -> None:
    """Where it is."""
    channel.send(
        {
            "group": os.getpgid(0) == os.getpid(),
            "session": os.getsid(0),
            "path": sys.path,
            "arguments": sys.argv,
            "folder": os.getcwd(),
            "files": sorted(int(name) for name in os.listdir("/proc/self/fd"))[:-1],
            "child_signal": signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL,
        }
    )


def end(channel: Channel, output: int) -> None:
    atexit.register(channel.send, {"text": "at exit"})


def fail(channel: Channel, output: int) -> None:
    raise RuntimeError("a fault of the worker")


def sleep(channel: Channel, output: int) -> None:
    channel.send({"pid": os.getpid()})
    time.sleep(60)
