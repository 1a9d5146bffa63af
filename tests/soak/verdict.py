"""Holds the ledger against the oracle and against the account of the jobs."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.soak import oracle
from tests.soak.account import Entry
from tests.soak.declared import BY_NAME, JOBS, WRITERS, Declared
from tests.soak.ledger import Row
from tests.soak.timeline import Timeline, clock
from tests.soak.violations import Violations

RESTORED_WITHIN = 16.0
"""How long after a row was deleted or mended occurrences of its job may have no row."""
OVERDUE = 40.0
"""How long an occurrence may wait for the database: a change of the schedule then skips it."""
BEGUN = {"running", "success", "failed", "cancelled", "lost"}
NEVER_RAN = {"missed", "skipped"}
SHOWN = 5
"""How many violations of one kind and job are listed."""


@dataclass(slots=True)
class Figures:
    expected: int = 0
    lost: int = 0
    excused: int = 0
    """Expected ones without a row, of a job whose row was deleted or spoilt then."""
    states: Counter[str] = field(default_factory=Counter)
    lost_explained: int = 0
    worst: tuple[float, str] = (0.0, "")
    worst_unexplained: tuple[float, str] = (0.0, "")


class Verdict:
    """Finds what is wrong with the rows of the occurrences between two moments."""

    def __init__(
        self,
        rows: Sequence[Row],
        entries: Sequence[Entry],
        timeline: Timeline,
        violations: Violations,
        window: tuple[float, float],
    ) -> None:
        self._rows, self._entries, self._timeline = rows, entries, timeline
        self._found, self._window = violations, window
        self._listed: Counter[tuple[str, str]] = Counter()
        self._begins: dict[int, Entry] = {}
        self._rights: dict[int, str] = {}
        self.figures = Figures()

    def find(self, work: Counter[int]) -> Figures:
        """`work`: how many rows each run has left in soak_work."""
        by_job: defaultdict[str, list[Row]] = defaultdict(list)
        for row in self._rows:
            by_job[row.job].append(row)
        for job in JOBS:
            first_attempts = [
                row for row in by_job[job.name] if (row.trigger, row.attempt) == ("schedule", 1)
            ]
            self._cover(job, first_attempts)
        self._account()
        for row in self._rows:
            if row.job in BY_NAME:
                self.figures.states[row.state] += row.occurrences
                self._outcome(row, work[row.id])
                self._lateness(row)
        return self.figures

    def _cover(self, job: Declared, rows: list[Row]) -> None:
        """Each occurrence has one row; each row has as many occurrences as it says."""
        begin, end = self._window
        latest = max([end, *(row.scheduled_for for row in rows)])
        moments = oracle.expected(job, begin, latest)
        covered: defaultdict[float, list[Row]] = defaultdict(list)
        for row in rows:
            if row.scheduled_for <= begin:
                continue
            mine = [moment for moment in moments if row.first <= moment <= row.scheduled_for]
            for moment in mine:
                covered[moment].append(row)
            if row.first > begin and len(mine) != row.occurrences:
                self._add("miscounted", job.name, f"{row}: {row.occurrences}, not {len(mine)}")
            is_wrong = job.must_run and row.state in NEVER_RAN
            if is_wrong and not self._is_spoilt(job.name, row.scheduled_for, OVERDUE):
                self._add("must run, did not", job.name, f"{row}: {row.message}", row.due_at)
        lost = [moment for moment in moments if moment <= end and not covered[moment]]
        self.figures.expected += sum(moment <= end for moment in moments)
        self._missing(job.name, lost)
        for moment, several in covered.items():
            if len(several) > 1:
                text = f"{clock(moment)} has rows: {', '.join(map(str, several))}"
                self._add("doubled", job.name, text, moment)

    def _missing(self, name: str, moments: list[float]) -> None:
        lost = [moment for moment in moments if not self._is_spoilt(name, moment)]
        self.figures.excused += len(moments) - len(lost)
        self.figures.lost += len(lost)
        if lost:
            text = f"{name}: {len(lost)} from {clock(lost[0])} to {clock(lost[-1])} have no row"
            self._found.add("lost", text, lost[0])

    def _is_spoilt(self, name: str, moment: float, overdue: float = 2) -> bool:
        """Whether the job's row was deleted or spoilt then, or so many seconds later."""
        return any(
            fault.category == "spoil" and fault.target == name
            for fault in self._timeline.within(moment - RESTORED_WITHIN, moment + overdue)
        )

    def _account(self) -> None:
        """No run, and no attempt of an occurrence, begins twice; each that began is in the
        ledger as one that began."""
        rows = {row.id: row for row in self._rows}
        attempts: set[tuple[str, float, int]] = set()
        for entry in self._entries:
            if entry.what != "begin":
                self._rights[entry.run] = entry.what
                continue
            row = rows.get(entry.run)
            what = f"run {entry.run} of {entry.job} by {entry.life} ({entry.detail})"
            key = (entry.job, entry.scheduled_for.timestamp(), entry.attempt)
            if entry.run in self._begins or key in attempts:
                self._add("doubled", entry.job, f"{what} began before", entry.at)
            elif row is None or row.state not in BEGUN:
                self._add("hidden", entry.job, f"{what} began; the ledger has {row}", entry.at)
            attempts.add(key)
            self._begins.setdefault(entry.run, entry)

    def _outcome(self, row: Row, work: int) -> None:
        right = self._rights.get(row.id)
        wrong = ""
        if row.state == "success" and right not in ("ok", "any"):
            wrong = f"its right outcome is {right}"
        elif row.state == "success" and row.job in WRITERS and work != 1:
            wrong = f"it has left {work} rows"
        elif row.state == "failed" and self._is_falsely_failed(row, right):
            wrong = f"its right outcome is {right}: {row.message[:200]!a}"
        elif row.state == "lost" and (wrong := self._unexplained_loss(row)):
            self._add("LOST unexplained", row.job, f"{row}: {wrong}", row.end)
            return
        if wrong:
            entry = self._begins.get(row.id)
            detail = f" [{entry.life} {entry.detail}]" if entry else " [never began]"
            self._add("untrue outcome", row.job, f"{row}{detail}: {wrong}", row.end)

    def _is_falsely_failed(self, row: Row, right: str | None) -> bool:
        if self._timeline.any_of({"limit"}, row.begin, row.end):
            return False  # without memory or files a run may fail at any point
        if row.id not in self._begins:
            return True
        return right == "ok"

    def _unexplained_loss(self, row: Row) -> str:
        entry = self._begins.get(row.id)
        if self._timeline.explains_loss(entry.life if entry else None, row.begin, row.end):
            self.figures.lost_explained += 1
            return ""
        by = entry.life if entry else "a node unknown"
        return f"{by} neither died nor stood still from {clock(row.begin)} to {clock(row.end)}"

    def _lateness(self, row: Row) -> None:
        """Of the runs that wait for no other run of their job."""
        job = BY_NAME[row.job]
        if row.started_at is None or row.attempt > 1 or job.policies.get("overlap") != "allow":
            return
        late = row.started_at - row.due_at
        self.figures.worst = max(self.figures.worst, (late, f"{row} at {clock(row.started_at)}"))
        if not self._timeline.within(row.due_at, row.started_at, margin=10):
            here = (late, f"{row} at {clock(row.started_at)}")
            self.figures.worst_unexplained = max(self.figures.worst_unexplained, here)

    def _add(self, kind: str, name: str, text: str, at: float | None = None) -> None:
        self._listed[kind, name] += 1
        if self._listed[kind, name] <= SHOWN:
            self._found.add(kind, text, at)

    def omitted(self) -> dict[str, int]:
        """How many more there are than those that were listed, by kind and job."""
        return {
            f"{kind}, {name}": count - SHOWN
            for (kind, name), count in self._listed.items()
            if count > SHOWN
        }
