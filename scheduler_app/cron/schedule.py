"""The schedule of a job: what a row or a declaration says, and what can be computed from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from itertools import chain, pairwise, takewhile
from zoneinfo import ZoneInfo

from scheduler_app.cron.expression import is_by_the_clock
from scheduler_app.cron.fires import (
    LATEST,
    MAX_ZONE,
    ZONE_USAGE,
    fires,
    first_fire,
    in_utc,
    latest_fire,
    next_fire,
    previous_fire,
    whole_second,
    zone_of,
)
from scheduler_app.cron.notation import MAX_TEXT, USAGE, Terms, normalise, read
from scheduler_app.cron.sentence import explain, left_out
from scheduler_app.exceptions import CronError
from scheduler_app.text import shown

MAX_JITTER = 2**31 - 1
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The text of a schedule (see notation.py) in a zone, with jitter: a delay of each run by up to
    that many seconds.

    Nothing can be asked of it but compute(): a row may hold what this machine, or this release,
    cannot read."""

    expression: str
    timezone: str = "UTC"
    jitter: int = 0
    seed: str = ""

    def compute(self) -> Fires | Uncomputable:
        """Return when the schedule fires, or why that cannot be computed."""
        try:
            expression = self._checked()
        except CronError as error:
            return Uncomputable(str(error))
        return Fires(expression, self.timezone, self.jitter, self.seed)

    def _checked(self) -> str:
        _expect_text("Bad schedule", self.expression, MAX_TEXT, USAGE)
        _expect_text("Unknown time zone", self.timezone, MAX_ZONE, ZONE_USAGE)
        whole = isinstance(self.jitter, int) and not isinstance(self.jitter, bool)
        if not whole or not 0 <= self.jitter <= MAX_JITTER:
            usage = f"use a whole number of seconds from 0 to {MAX_JITTER:,}"
            raise CronError(f"Bad jitter {shown(self.jitter)}: {usage}")
        zone_of(self.timezone)
        text = normalise(self.expression)
        if read(text).is_limited and first_fire(text, self.timezone) is None:
            limits = "its start, its end or its calendar leaves out every moment"
            raise CronError(f"Schedule {shown(text)} never fires: {limits}")
        return text


@dataclass(frozen=True, slots=True)
class Uncomputable:
    """A schedule that cannot be computed here and now."""

    text: str
    """The bad value, what is wrong with it, and what would be right."""


def find_zone(name: str) -> ZoneInfo | Uncomputable:
    """Return the time zone of this name, or why there is none."""
    try:
        return zone_of(name)
    except CronError as error:
        return Uncomputable(str(error))


@dataclass(frozen=True, slots=True)
class Fire:
    """One occurrence of a schedule."""

    scheduled_for: datetime
    """The moment that the expression names (UTC)."""
    due_at: datetime
    """`scheduled_for` plus this occurrence's jitter (UTC)."""


@dataclass(frozen=True, slots=True)
class Fires:
    """The occurrences of a schedule that can be computed.

    The delay by jitter is drawn from the seed and the occurrence, so every node computes the same
    and nothing is stored. It is always shorter than the time to the next occurrence, so the order
    is kept."""

    expression: str
    """Normalised."""
    timezone: str
    jitter: int
    seed: str

    def names(self, wall: datetime, width: timedelta) -> bool:
        """Return whether a cron expression names this time on the wall, or one that is less than
        `width` later, whether or not the clock shows it. An interval or a moment names none."""
        terms = self._terms
        if not terms.cron or terms.calendar.excludes(wall.date()):
            return False
        # In UTC, where no clock jumps, an expression fires at all that it names.
        as_utc = wall.replace(tzinfo=UTC)
        fire = next_fire(terms.cron, as_utc - timedelta(seconds=1), "UTC")
        return fire is not None and fire < as_utc + width

    @property
    def is_by_the_clock(self) -> bool:
        """Whether it fires whenever the clock on the wall matches: not at all in a gap, at both
        passes of a repeated hour. So does what asks no clock on a wall, an interval or a moment."""
        return not self._terms.cron or is_by_the_clock(self._terms.cron)

    def left_out(self, moment: datetime, until: datetime) -> str:
        """Return which limit of the schedule, its start, its end or its calendar, keeps it from
        firing at this moment or before `until`, as "it ended at ..."; empty if none does."""
        fire = next_fire(self._terms.base, moment - timedelta(seconds=1), self.timezone)
        return left_out(self.expression, fire, self.timezone) if fire and fire < until else ""

    @property
    def _terms(self) -> Terms:
        return read(self.expression)

    def scheduled_after(self, moment: datetime) -> datetime | None:
        """Return the first moment after this one that the expression names (UTC), without jitter.
        None: not within 50 years."""
        return next_fire(self.expression, moment, self.timezone)

    def scheduled_by(self, moment: datetime) -> datetime | None:
        """Return the last moment up to this one that the expression names, as above."""
        return previous_fire(self.expression, moment, self.timezone)

    def explain(self) -> str:
        """Return the schedule in English words, without zone and jitter."""
        return explain(self.expression, self.timezone)

    def next(self, after: datetime) -> Fire | None:
        """Return the first occurrence with `due_at` later than `after`. None: not within 50
        years."""
        latest = self._latest(after)
        if latest and latest.due_at > after:
            return latest
        scheduled_for = next_fire(self.expression, after, self.timezone)
        return self._fire(scheduled_for) if scheduled_for else None

    def at(self, due_at: datetime) -> Fire:
        """Return the occurrence that is due at this moment. If the schedule has none, because it
        was changed meanwhile, the moment counts as scheduled."""
        latest = self._latest(due_at)
        if latest and latest.due_at == due_at:
            return latest
        due_at = in_utc(due_at)
        return Fire(due_at, due_at)

    def due(self, first_due: datetime, until: datetime) -> Iterator[Fire]:
        """Yield `at(first_due)` and all later occurrences that are due by `until`, in order."""
        if first_due > until:
            return
        yield self.at(first_due)
        following = self.next(first_due)
        if following:
            yield from takewhile(lambda fire: fire.due_at <= until, self._from(following))

    def latest(self, after: datetime, until: datetime, most: int) -> list[Fire]:
        """Return the last `most` occurrences, in order, of those that are due after one moment and
        up to another."""
        span = timedelta(seconds=most)
        while True:
            is_whole = until - after <= span
            begin = after if is_whole else until - span
            first = self.next(begin)
            found = list(self.due(first.due_at, until)) if first else []
            if is_whole or len(found) >= most:
                return found[-most:]
            span *= 4

    def scheduled(self, since: datetime, until: datetime) -> Iterator[datetime]:
        """Yield the moments that the expression names from one moment up to before another (UTC),
        without jitter."""
        following = fires(self.expression, since - timedelta(microseconds=1), self.timezone)
        return takewhile(lambda moment: moment < until, following)

    def _latest(self, at: datetime) -> Fire | None:
        """Return the last occurrence scheduled for `at` or before, if jitter could make it due by
        then or later. Without jitter there is none to consider."""
        if not self.jitter:
            return None
        scheduled_for = latest_fire(self.expression, whole_second(at), self.timezone, self.jitter)
        return self._fire(scheduled_for) if scheduled_for else None

    def _fire(self, scheduled_for: datetime) -> Fire:
        if not self.jitter:
            return Fire(scheduled_for, scheduled_for)
        following = next_fire(self.expression, scheduled_for, self.timezone)
        return Fire(scheduled_for, scheduled_for + self._delay(scheduled_for, following))

    def _from(self, first: Fire) -> Iterator[Fire]:
        """Return this occurrence and all later ones."""
        moments = chain(
            [first.scheduled_for], fires(self.expression, first.scheduled_for, self.timezone)
        )
        if not self.jitter:
            return (Fire(moment, moment) for moment in moments)
        return (
            Fire(moment, moment + self._delay(moment, following))
            for moment, following in pairwise(chain(moments, [None]))
            if moment
        )

    def _delay(self, scheduled_for: datetime, following: datetime | None) -> timedelta:
        """Return the jitter of one occurrence, in whole milliseconds."""
        longest = min(timedelta(seconds=self.jitter), LATEST - scheduled_for)
        if following:
            longest = min(longest, following - scheduled_for - timedelta(milliseconds=1))
        key = f"{self.seed} {scheduled_for.isoformat()}".encode()
        draw = int.from_bytes(blake2b(key, digest_size=8).digest())
        return timedelta(milliseconds=draw % (longest // timedelta(milliseconds=1) + 1))


def _expect_text(complaint: str, value: object, longest: int, usage: str) -> None:
    if not isinstance(value, str):
        raise CronError(f"{complaint} {shown(value)}: {usage}")
    if len(value) > longest:
        raise CronError(f"{complaint} {shown(value)}: use at most {longest} characters")
