"""How many no-op jobs a second each contender carries out, every run recorded, for as long as it
is asked to.

A trial: N jobs due every second. It is sustained if, over the window, at least 97% of N runs a
second are committed as successes, and the time from schedule to end has not grown by more than a
quarter of a second from the window's first three seconds to its last three."""

import math
import time
from dataclasses import dataclass
from statistics import median

from benchmarks.databases import Database, Server, moment
from benchmarks.processes import OURS, PLAIN, Contender, Load, running, sleep_until
from benchmarks.report import progress, table, verdict

TARGET = 10.0
WARM_UP = 4
TRIALS = 6
FIRST = {OURS: 8_000, PLAIN: 700}
"""Where the search begins: more than either sustained when this was written."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One contender under one load."""

    due: int
    """A second."""
    rate: float
    """Runs committed as successes, a second."""
    cpu: float
    """Seconds of processor time a second."""
    growth: float
    """Seconds by which the time from schedule to end has grown over the window."""

    @property
    def sustained(self) -> bool:
        return self.rate >= 0.97 * self.due and self.growth <= 0.25

    @property
    def cpu_per_thousand(self) -> float:
        return 1000 * self.cpu / self.rate if self.rate else math.inf


def measure(servers: list[Server], seconds: int) -> str:
    """The section of the report; each trial's window is so many seconds long."""
    return "\n\n".join(_compare(server, seconds) for server in servers)


def _compare(server: Server, seconds: int) -> str:
    ours, plain = sustained(server, seconds), _search(PLAIN, server, seconds)
    ratio = ours.rate / plain.rate if plain.rate else math.inf
    rows = [_row(OURS, ours), _row(PLAIN, plain)]
    rows.append(
        ["ratio", f"{ratio:.1f}", "", f"1 : {plain.cpu_per_thousand / ours.cpu_per_thousand:.1f}"]
    )
    header = [server.title, "runs/s sustained", "CPU, of one core", "CPU s per 1,000 runs"]
    target = f"Target: at least {TARGET:.0f} times on SQLite"
    met = f": {verdict(ratio >= TARGET)}" if server.title == "SQLite" else ""
    return f"{table(header, rows)}\n\n{target}{met}."


def sustained(server: Server, seconds: int) -> Trial:
    """What this scheduler sustains on the server; measured once in a run of the benchmarks."""
    if server.title not in _sustained:
        _sustained[server.title] = _search(OURS, server, seconds)
    return _sustained[server.title]


_sustained: dict[str, Trial] = {}


def _row(contender: Contender, trial: Trial) -> list[str]:
    cells = [f"{trial.rate:,.0f}", f"{trial.cpu:.0%}", f"{trial.cpu_per_thousand:.2f}"]
    return [contender.title, *cells]


def _search(contender: Contender, server: Server, seconds: int) -> Trial:
    """The best sustained trial of a few; if none was, the last."""
    best: Trial | None = None
    due, failed = FIRST[contender], math.inf
    for _ in range(TRIALS):
        with server.fresh() as database:
            trial = attempt(contender, database, due, seconds)
        progress(f"{server.title}, {contender.title}: {trial}, sustained: {trial.sustained}")
        if trial.sustained:
            best = trial
            following = min(due * 2.0, (due + failed) / 2)
        else:
            failed = due
            following = (best.due + failed) / 2 if best else _lower(trial)
        if best and following < 1.08 * best.due:
            break
        due = _rounded(following)
    return best or trial


def _lower(trial: Trial) -> float:
    """Where to look after a trial that failed; overload may have lowered its rate too much."""
    return min(0.9 * trial.due, max(0.93 * trial.rate, 0.4 * trial.due))


def _rounded(due: float) -> int:
    step = 10 if due < 1_000 else 100
    return max(step, int(due // step) * step)


def attempt(
    contender: Contender, database: Database, due: int, seconds: int, warm_up: int = WARM_UP
) -> Trial:
    """One trial, with so many jobs due every second; measured from `warm_up` seconds on."""
    load = Load(jobs=due, overlap="allow")
    count = f"SELECT count(*) FROM {contender.succeeded}"
    with running(contender, database, load) as daemon:
        begin = math.ceil(time.time()) + warm_up
        sleep_until(begin)
        cpu, runs, at = daemon.cpu(), database.number(count), time.time()
        sleep_until(begin + seconds)
        cpu, runs, took = daemon.cpu() - cpu, database.number(count) - runs, time.time() - at
        time.sleep(0.5)
    growth = _growth(contender, database, begin, seconds, due)
    return Trial(due, runs / took, cpu / took, growth)


def _growth(contender: Contender, database: Database, begin: int, seconds: int, due: int) -> float:
    rows = database.rows(f"SELECT scheduled, finished FROM {contender.succeeded}")
    ended = [(moment(scheduled), moment(finished)) for scheduled, finished in rows]
    third = max(1, min(3, seconds // 3))

    def typical(first: int) -> float:
        """The median from schedule to end of these seconds' jobs; endless if half are open."""
        took = [end - at for at, end in ended if first <= at < first + third]
        return median(took + [math.inf] * (due * third - len(took)))

    early, late = typical(begin), typical(begin + seconds - third)
    return math.inf if math.isinf(late) else late - early
