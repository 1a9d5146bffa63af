"""Jobs that note in a file what they do, so that a test can tell what ran, how often and where."""

import os
import threading
from pathlib import Path

from scheduler_app import JobContext, job

SECONDLY = "* * * * * *"
NEVER_IN_A_TEST = "0 0 1 1 *"
DECLARED = os.environ.get("CHAOS_JOBS", "").split()


def note(context: JobContext, what: str) -> None:
    """Append a line that is whole, whoever else writes."""
    line = f"{what} {context.job_name} {context.run_id} {os.getpid()}\n"
    file = os.open(os.environ["CHAOS_NOTES"], os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)


def load(context: JobContext) -> None:
    """Next to nothing."""
    note(context, "begun")


def two_seconds(context: JobContext) -> None:
    """Two seconds."""
    note(context, "begun")
    threading.Event().wait(2)


def attentive(context: JobContext) -> dict[str, str]:
    """Until the test lets it finish, or it is told to end. Its outcome takes pages to record."""
    note(context, "begun")
    finish = Path(os.environ["CHAOS_FINISH"].format(context.run_id))
    while not finish.exists():
        if context.cancelled:
            note(context, "told")
            return {}
        threading.Event().wait(0.1)
    note(context, "finished")
    return {"record": os.urandom(20_000).hex()}


def talkative(context: JobContext) -> None:
    """Say more and more, until it is told to end."""
    note(context, "begun")
    number = 0
    while not context.cancelled:
        number += 1
        print(f"line {number}")
        context.progress(number)
        threading.Event().wait(0.1)


for number in range(int(os.environ["CHAOS_LOAD"])):
    job(cron=SECONDLY, name=f"load-{number}", overlap="allow")(load)
for number in range(3):
    job(cron=SECONDLY, name=f"two-seconds-{number}")(two_seconds)
job(cron=NEVER_IN_A_TEST)(attentive)
job(cron=NEVER_IN_A_TEST)(talkative)
if "elsewhere" in DECLARED:
    job(cron=SECONDLY, name="elsewhere", overlap="allow")(load)
if "isolated" in DECLARED:
    job(cron=NEVER_IN_A_TEST, name="isolated", isolated=True)(attentive)
