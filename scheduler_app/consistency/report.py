"""What an audit finds, and what it has counted on the way."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from scheduler_app.models import RunState, SchedulePeriod


class Kind(StrEnum):
    """How a ledger can fail to agree with the schedules."""

    LOST = "lost"
    """No row accounts for an occurrence."""
    INCOMPLETE = "incomplete"
    """An occurrence had been accounted for, and its row has been deleted since."""
    DOUBLED = "doubled"
    """Two rows account for one occurrence."""
    UNEXPECTED = "unexpected"
    """A row accounts for a moment at which the job did not have to fire."""
    RANGE = "range"
    """A row stands for more, or fewer, occurrences than lie in its range."""
    COUNTER = "counter"
    """A counter of the job differs from its rows."""
    PERIOD = "period"
    """The recorded schedule has a hole, overlaps itself, or differs from the job."""
    TIMETABLE = "timetable"
    """The job's next moment is not what its state asks for."""
    UNJUDGED = "unjudged"
    """The recorded schedule cannot be computed here."""
    MISSING = "missing"
    """A living scheduler declares a job that has no row."""
    OVERDUE = "overdue"
    """Occurrences are due, and no living scheduler claims them."""
    STRANDED = "stranded"
    """A run that has not ended is held by no living scheduler."""


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """One respect in which the ledger and the schedule do not agree."""

    job_name: str
    kind: Kind
    text: str
    moment: datetime | None = None
    """The first occurrence concerned (UTC), if it is about occurrences."""
    occurrences: int = 0

    def __str__(self) -> str:
        return f"{self.job_name}{f' {self.moment}' if self.moment else ''}: {self.text}"


NOT_RUN = {RunState.SKIPPED: "skipped", RunState.MISSED: "missed"}
INACTIVE = {SchedulePeriod.State.PAUSED: "paused", SchedulePeriod.State.ORPHANED: "orphaned"}
UNACCOUNTED = "unaccounted"


@dataclass(slots=True)
class Tally:
    """What an audit has looked at. Runs are occurrences that ran, run, or wait to."""

    jobs: int = 0
    discrepancies: int = 0
    unjudged: int = 0
    """Periods whose occurrences this process cannot compute as they were."""
    occurrences: Counter[str] = field(default_factory=Counter)
    """By what became of them: runs, skipped, missed, paused, orphaned, unaccounted."""

    def add_row(self, state: str, occurrences: int) -> None:
        self.occurrences[NOT_RUN.get(RunState(state), "runs")] += occurrences

    def __str__(self) -> str:
        kinds = ("runs", *NOT_RUN.values(), *INACTIVE.values(), UNACCOUNTED)
        terms = [f"{self.occurrences[kind]:,} {kind}" for kind in kinds]
        total = _counted(sum(self.occurrences.values()), "occurrence")
        found = "no discrepancy"
        if self.discrepancies:
            found = _counted(self.discrepancies, "discrepancy", "discrepancies")
        if self.unjudged:
            found += f"; {_counted(self.unjudged, 'period')} cannot be judged"
        return f"{_counted(self.jobs, 'job')}, {total} = {' + '.join(terms)}; {found}"


def _counted(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"
