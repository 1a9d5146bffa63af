"""Jobs of a user's app. Which of them are declared, the environment tells: a test takes one away
as a deploy would."""

import logging
import os
import subprocess
import sys
import time

from scheduler_app import JobContext, job

DECLARED = os.environ.get("NIGHT_JOBS", "").split()
SECONDLY = "* * * * * *"
NEVER_IN_A_TEST = "0 0 1 1 *"


def tick() -> None:
    """Do nothing, every second."""


def slow(context: JobContext) -> dict[str, bool]:
    """Take three seconds, or NIGHT_SLOW."""
    time.sleep(float(os.environ.get("NIGHT_SLOW", "3")))
    return {"cancel_seen": context.cancelled}


def endless() -> None:
    """Never end."""
    while True:
        time.sleep(1)


def raises() -> None:
    """Raise."""
    raise ValueError("no such record")


def raises_much() -> None:
    """Raise 100 kB of text with a NUL byte."""
    raise RuntimeError("begin\0" + "x" * 100_000 + "end")


def exits() -> None:
    """Call sys.exit."""
    sys.exit(3)


def talks() -> None:
    """Print, log, ask, and start a program that prints."""
    print("a line")
    sys.stdout.flush()
    logging.getLogger("night").warning("a record")
    try:
        input("Are you sure? ")
    except EOFError:
        print("no answer")
    asked = subprocess.run(["cat"], capture_output=True, timeout=10, check=True)
    assert asked.stdout == b""


def talks_in_a_process() -> None:
    """As talks, in a process of its own."""
    talks()


for function, cron in (
    (tick, SECONDLY),
    (slow, NEVER_IN_A_TEST),
    (endless, NEVER_IN_A_TEST),
    (raises, NEVER_IN_A_TEST),
    (raises_much, NEVER_IN_A_TEST),
    (exits, NEVER_IN_A_TEST),
    (talks, NEVER_IN_A_TEST),
    (talks_in_a_process, NEVER_IN_A_TEST),
):
    if function.__name__.replace("_", "-") in DECLARED:
        job(cron=cron, isolated=function is talks_in_a_process)(function)

for number in range(int(os.environ.get("NIGHT_TICKS", "0"))):
    job(cron=SECONDLY, name=f"tick-{number}", overlap="allow")(tick)
