"""As many jobs as the environment says; `Load.environment` writes it."""

import os
import time
from functools import partial

from scheduler_app import JobContext, job


def no_op() -> None:
    """Do nothing."""


def say_when() -> dict[str, float]:
    """Say when the first line was reached."""
    return {"first_line": time.time()}


def note_call(context: JobContext) -> None:
    """Write down, where no crash can take it back, that the function was called."""
    with open(os.environ["BENCH_CALLS"], "a") as calls:
        calls.write(f"{context.job_name} {context.scheduled_for.timestamp()}\n")


def _number(variable: str) -> int:
    return int(os.environ.get(variable, "0"))


EVERY = _number("BENCH_EVERY")
CRON = "* * * * *" if EVERY == 60 else f"*/{EVERY or 1} * * * * *"

for number in range(_number("BENCH_JOBS")):
    function = note_call if os.environ["BENCH_CALLS"] else no_op
    overlap, jitter = os.environ["BENCH_OVERLAP"], _number("BENCH_JITTER")
    job(cron=CRON, name=f"no-op-{number}", overlap=overlap, jitter=jitter)(function)
for number in range(_number("BENCH_SAYING")):
    job(cron=CRON, name=f"say-when-{number}")(say_when)
for number in range(_number("BENCH_RESTING")):
    # Each a function of its own: how long it takes is not known from another.
    job(cron=os.environ["BENCH_RESTING_CRON"], name=f"rest-{number}", catch_up="all")(
        partial(no_op)
    )
for number in range(_number("BENCH_SURGING")):
    job(cron=os.environ["BENCH_SURGE"], name=f"surge-{number}")(no_op)
