"""Plain django-apscheduler as its README has it, configured as well as it can be for this load:
intervals (cheaper than its cron), all occurrences run however late, as many at a time as come.

`python -m benchmarks.plain` runs until SIGTERM; the moments at which its jobs began are then
written to the file that BENCH_BEGUN names."""

import json
import math
import os
import signal
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import django
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

BEGUN: list[float] = []


def no_op() -> None:
    """Note the moment and do nothing."""
    BEGUN.append(time.time())


def main() -> None:
    django.setup()
    from benchmarks.plain import BEGUN, no_op  # by its importable name, which the pickle refers to

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    scheduler = _scheduler()
    scheduler.start(paused=True)
    jobs, every = int(os.environ["BENCH_JOBS"]), int(os.environ["BENCH_EVERY"])
    begin = time.time() + 1 + jobs / 200  # all jobs are there by then
    trigger = _every(every, begin)
    for number in range(jobs):
        scheduler.add_job(no_op, trigger, id=f"no-op-{number}")
    scheduler.resume()
    time.sleep(max(0.0, begin - time.time()))
    print("ready", flush=True)
    stop.wait()
    Path(os.environ["BENCH_BEGUN"]).write_text(json.dumps(BEGUN))
    os._exit(0)


def _scheduler() -> BackgroundScheduler:
    from django_apscheduler.jobstores import DjangoJobStore

    return BackgroundScheduler(
        timezone=UTC,
        jobstores={"default": DjangoJobStore()},
        executors={"default": ThreadPoolExecutor(int(os.environ["BENCH_THREADS"]))},
        job_defaults={"coalesce": False, "misfire_grace_time": None, "max_instances": 1_000_000},
    )


def _every(seconds: int, begin: float) -> IntervalTrigger:
    """At whole multiples of so many seconds, not before `begin`."""
    start = math.ceil(begin / seconds) * seconds
    return IntervalTrigger(seconds=seconds, start_date=datetime.fromtimestamp(start, UTC))


if __name__ == "__main__":
    main()
