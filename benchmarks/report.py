"""What was measured, as Markdown."""

import os
import platform
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks.databases import Server


def progress(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


def machine(servers: Iterable[Server]) -> str:
    """What the figures were measured on."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    packages = [f"{name} {version(name)}" for name in ("Django", "django-apscheduler")]
    parts = [
        f"{datetime.now(UTC):%d %B %Y}",
        f"{os.cpu_count()} cores ({cpu[1] if cpu else platform.machine()})",
        f"{pages / 2**30:.0f} GB",
        f"Linux {platform.release()}",
        f"Python {platform.python_version()}",
        *packages,
        *(server.version() for server in servers),
    ]
    return ", ".join(parts)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def verdict(met: bool) -> str:
    return "met" if met else "**not met**"


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that so many percent of the values do not exceed; of none, infinity."""
    ordered = sorted(values)
    if not ordered:
        return float("inf")
    return ordered[min(len(ordered) - 1, max(0, -int(-len(ordered) * percent // 100) - 1))]


def ms(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms"
