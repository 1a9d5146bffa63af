"""The project's settings, with the benchmarks' jobs beside its own. Both contenders use them."""

import os

os.environ.setdefault("SECRET_KEY", "for benchmarks only")

from memory_project.settings import *  # noqa: F403
from memory_project.settings import INSTALLED_APPS as PROJECT_APPS
from memory_project.settings import LOGGING as PROJECT_LOGGING

INSTALLED_APPS = [*PROJECT_APPS, "benchmarks.load"]
LOGGING = PROJECT_LOGGING | {"root": {"handlers": ["console"], "level": "WARNING"}}
SCHEDULER = {
    "max_concurrent_runs": int(os.environ.get("BENCH_SLOTS", "20")),
    "calls_per_second": 1_000_000,  # `status` measures how many there can be; each is still counted
}
