"""The model of one job's timetable: which occurrences the ledger must have covered, in order."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from scheduler_app.cron import Fire, Schedule
from scheduler_app.models import JobRun, SchedulePeriod
from tests.fires import computed

State = SchedulePeriod.State
Period = tuple[str, Schedule, datetime, datetime | None]


def fires(schedule: Schedule, after: datetime) -> Iterator[Fire]:
    """All occurrences that are due later than `after`."""
    computable = computed(schedule)
    fire = computable.next(after)
    while fire:
        yield fire
        fire = computable.next(fire.due_at)


def _fire_alike(one: Schedule, other: Schedule) -> bool:
    """Whether they differ in jitter alone."""
    return (one.expression, one.timezone) == (other.expression, other.timezone)


@dataclass(slots=True)
class Coverage:
    """What must be covered: the occurrences of the active periods, each once, none left out."""

    schedule: Schedule
    begins_at: datetime
    state: State = State.ACTIVE
    covered: dict[datetime, str] = field(default_factory=dict)
    """What became first of each occurrence, by the moment it was scheduled for."""
    last_due: datetime | None = None
    ended: list[Period] = field(default_factory=list)
    ranges: list[tuple[datetime, datetime]] = field(default_factory=list)
    """First and last moment of each row."""
    upcoming: list[Fire] = field(default_factory=list)
    _source: Iterator[Fire] = field(default_factory=lambda: iter(()))

    def __post_init__(self) -> None:
        self._begin()

    def next(self) -> Fire | None:
        """The first occurrence that is not covered."""
        while not self.upcoming:
            fire = next(self._source, None)
            if fire is None:
                return None
            self._expect(fire)
        return self.upcoming[0]

    def due(self, now: datetime) -> list[Fire]:
        """All that is due and not covered."""
        while not self.upcoming or self.upcoming[-1].due_at <= now:
            fire = next(self._source, None)
            if fire is None:
                break
            self._expect(fire)
        return [fire for fire in self.upcoming if fire.due_at <= now]

    def absorb(self, rows: Iterable[JobRun], states: dict[int, str]) -> list[tuple[Fire, str]]:
        """Check that these new rows cover the next occurrences, each exactly once."""
        found = []
        for row in sorted(rows, key=lambda row: row.scheduled_for):
            first = row.first_scheduled_for or row.scheduled_for
            for number in range(row.occurrences):
                fire = self.next()
                assert fire, f"{row!r}: no occurrence is left"
                wanted = {0: first}.get(number, fire.scheduled_for)
                assert fire.scheduled_for == wanted, f"lost or doubled: {wanted}, not {fire}"
                self.covered[fire.scheduled_for] = states[row.pk]
                self.upcoming.pop(0)
                found.append((fire, states[row.pk]))
            last, _ = found[-1]
            assert (row.scheduled_for, row.due_at) == (last.scheduled_for, last.due_at)
            self.last_due = last.due_at
            self.ranges.append((first, last.scheduled_for))
        return found

    def turn(self, state: State, schedule: Schedule, now: datetime) -> None:
        """A new period begins, now or where more is accounted for. What was due must be covered."""
        moment = max(now, self.begins_at, self.last_due or self.begins_at)
        assert not self.due(moment), f"never accounted for: {self.due(moment)[:3]}"
        put_off = self.next()
        self.ended.append((self.state, self.schedule, self.begins_at, moment))
        before = self.schedule
        self.state, self.schedule, self.begins_at = state, schedule, moment
        self._begin()
        if put_off and put_off.scheduled_for <= moment and _fire_alike(before, schedule):
            fire = self.next()
            lost = state == State.ACTIVE and (
                not fire or fire.scheduled_for > put_off.scheduled_for
            )
            assert not lost, f"was to come, and is left out: {put_off}"

    @property
    def periods(self) -> list[Period]:
        return [*self.ended, (self.state, self.schedule, self.begins_at, None)]

    def _expect(self, fire: Fire) -> None:
        """More jitter than before may put off what is accounted for: it is not due again."""
        if not any(first <= fire.scheduled_for <= last for first, last in self.ranges[-20:]):
            self.upcoming.append(fire)

    def _begin(self) -> None:
        active = self.state == State.ACTIVE
        self.upcoming = []
        self._source = fires(self.schedule, self.begins_at) if active else iter(())
