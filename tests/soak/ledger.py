"""The product's rows, as the verdict reads them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.soak.stage import Store

COLUMNS = (
    "id, job_name, trigger, attempt, state, scheduled_for, "
    "coalesce(first_scheduled_for, scheduled_for), due_at, occurrences, started_at, finished_at, "
    "message"
)


@dataclass(frozen=True, slots=True)
class Row:
    """One run. Moments are in seconds since the epoch."""

    id: int
    job: str
    trigger: str
    attempt: int
    state: str
    scheduled_for: float
    first: float
    due_at: float
    occurrences: int
    started_at: float | None
    finished_at: float | None
    message: str

    def __str__(self) -> str:
        return f"run {self.id} of {self.job} ({self.state})"

    @property
    def begin(self) -> float:
        return self.started_at or self.due_at

    @property
    def end(self) -> float:
        return self.finished_at or self.begin


def read(store: Store, where: str = "1 = 1") -> list[Row]:
    query = f"SELECT {COLUMNS} FROM scheduler_app_jobrun WHERE {where} ORDER BY id"
    return [_row(*values) for values in store.execute(query)]


def _row(*values: Any) -> Row:
    key, job, trigger, attempt, state, moment, first, due, occurrences, start, end, text = values
    return Row(
        id=key,
        job=job,
        trigger=trigger,
        attempt=attempt,
        state=state,
        scheduled_for=_seconds(moment),
        first=_seconds(first),
        due_at=_seconds(due),
        occurrences=occurrences,
        started_at=None if start is None else _seconds(start),
        finished_at=None if end is None else _seconds(end),
        message=text,
    )


def _seconds(value: str | datetime) -> float:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
