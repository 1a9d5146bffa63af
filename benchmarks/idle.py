"""What a scheduler with little to do costs: ten jobs, each due once a minute."""

import time
from contextlib import ExitStack

from benchmarks.databases import Server
from benchmarks.processes import OURS, PLAIN, Contender, Daemon, Load, running
from benchmarks.report import progress, table, verdict

CPU_TARGET = 0.005
MEMORY_TARGET = 120.0
SETTLE = 5.0


def measure(servers: list[Server], seconds: int) -> str:
    """The section of the report. All are measured at once, over the same so many seconds."""
    with ExitStack() as stack:
        daemons = [
            (server, contender, _start(stack, server, contender))
            for server in servers
            for contender in (OURS, PLAIN)
        ]
        time.sleep(SETTLE)
        before = [daemon.cpu() for _, _, daemon in daemons]
        time.sleep(seconds)
        rows = [
            _row(server, contender, (daemon.cpu() - used) / seconds, daemon.memory())
            for (server, contender, daemon), used in zip(daemons, before, strict=True)
        ]
    header = ["database", "scheduler", "CPU, of one core", "resident", "proportional (PSS)", ""]
    target = f"Target: at most {CPU_TARGET:.1%} of one core and {MEMORY_TARGET:.0f} MB resident."
    return f"{table(header, rows)}\n\n{target}"


def _start(stack: ExitStack, server: Server, contender: Contender) -> Daemon:
    database = stack.enter_context(server.fresh())
    return stack.enter_context(running(contender, database, Load(jobs=10, every=60)))


def _row(
    server: Server, contender: Contender, cpu: float, memory: tuple[float, float]
) -> list[str]:
    resident, proportional = memory
    met = verdict(cpu <= CPU_TARGET and resident <= MEMORY_TARGET) if contender is OURS else ""
    row = [server.title, contender.title, f"{cpu:.2%}", f"{resident:.0f} MB"]
    progress(f"{row}")
    return [*row, f"{proportional:.0f} MB", met]
