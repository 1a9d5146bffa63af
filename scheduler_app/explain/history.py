"""One job's recorded past, as the questions about one moment need it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from django.db.models import Max, Q

from scheduler_app.cron import MAX_JITTER, Fire, Uncomputable, find_zone
from scheduler_app.ledger import expected
from scheduler_app.ledger.expected import RESOLUTION, Window
from scheduler_app.ledger.history import accounted_to
from scheduler_app.models import Job, JobRun, SchedulePeriod, row_id, timetable_rows
from scheduler_app.models.period import SchedulePeriodQuerySet
from scheduler_app.text import Clock, shown

State = SchedulePeriod.State


@dataclass(frozen=True)
class Occurrence:
    """One moment of the schedule that held then."""

    fire: Fire
    period: SchedulePeriod


@dataclass
class History:
    """What is known of a (counted) job at this moment."""

    job: Job
    now: datetime

    @cached_property
    def clock(self) -> Clock:
        """The job's zone; UTC if this machine does not know that."""
        zone = find_zone(self.job.timezone)
        return Clock(ZoneInfo("UTC") if isinstance(zone, Uncomputable) else zone)

    @property
    def periods(self) -> SchedulePeriodQuerySet:
        """All of them, in order. There may be tens of thousands: ask for those that you need."""
        recorded = SchedulePeriod.objects.filter(job_name=self.job.name)
        return recorded.order_by("begins_at", "id")

    @cached_property
    def first_period(self) -> SchedulePeriod | None:
        """The oldest that is kept."""
        return self.periods.first()

    @cached_property
    def next_due(self) -> datetime | None:
        entries = timetable_rows().filter(id=row_id(self.job.name))
        due_at: datetime | None = entries.values_list("next_run_time", flat=True).first()
        return due_at

    @cached_property
    def accounted_to(self) -> datetime | None:
        """Up to when every occurrence has had a row."""
        return accounted_to(self.job)

    def period_at(self, moment: datetime) -> SchedulePeriod | None:
        """Return the period in which the moment lies; None: it is before the job was declared."""
        return self.periods.filter(begins_at__lt=moment).last()

    def _between(self, since: datetime, until: datetime) -> SchedulePeriodQuerySet:
        """Return the periods of which some moment lies between these."""
        return self.periods.filter(Q(ends_at=None) | Q(ends_at__gte=since), begins_at__lt=until)

    def occurrences(self, since: datetime, until: datetime) -> list[Occurrence]:
        """Return the occurrences scheduled from `since` on and before `until`; if there are none,
        those that jitter makes due then. Ask for a minute's worth at most."""
        found = list(self._scheduled(Window(since, until), since))
        found.sort(key=lambda each: each.fire.scheduled_for)
        return found or list(self._due(since, until))

    def _scheduled(self, window: Window, since: datetime) -> Iterator[Occurrence]:
        possible = self.periods.order_by().filter(jitter__lte=MAX_JITTER)
        jitter = possible.aggregate(most=Max("jitter"))["most"] or 0
        delayed_to = (window.until or since) + timedelta(seconds=jitter)
        for period in self._between(since, delayed_to):
            schedule = period.schedule.compute()
            if not isinstance(schedule, Uncomputable):
                for fire in expected.fires(period, schedule, window):
                    yield Occurrence(fire, period)

    def _due(self, since: datetime, until: datetime) -> Iterator[Occurrence]:
        period = self.period_at(until)
        if period is None:
            return
        schedule = period.schedule.compute()
        if isinstance(schedule, Uncomputable):
            return
        fire = schedule.next(max(since, period.begins_at) - RESOLUTION)
        if fire and period.begins_at < fire.due_at < until:
            yield Occurrence(fire, period)

    def unjudged(self, since: datetime, until: datetime) -> str:
        """Return why the schedule recorded between these moments cannot be judged; empty if all of
        it can be computed."""
        for period in self._between(since, until):
            schedule = period.schedule.compute()
            if isinstance(schedule, Uncomputable):
                return cannot_be_judged(period, schedule)
        return ""

    def first_attempt(self, fire: Fire) -> JobRun | None:
        """Return the row that accounts for this occurrence."""
        rows = JobRun.objects.scheduled().filter(job_name=self.job.name, attempt=1)
        moment = fire.scheduled_for
        exact = rows.filter(scheduled_for=moment).first()
        spans_it = Q(first_scheduled_for__lte=moment, scheduled_for__gt=moment)
        return exact or rows.filter(spans_it).order_by("scheduled_for").first()

    def attempts(self, first: JobRun) -> list[JobRun]:
        """Return all attempts of which this run is the first, in order."""
        return [
            first,
            *JobRun.objects.filter(first_attempt=first).select_related("node").order_by("attempt"),
        ]

    def since(self, period: SchedulePeriod) -> datetime:
        """Return since when the job had been in this period's state."""
        before = self.periods.filter(begins_at__lte=period.begins_at).exclude(state=period.state)
        other = before.filter(pk__lt=period.pk).last()
        same = self.periods.filter(pk__gt=other.pk) if other else self.periods
        first = same.filter(state=period.state).first()
        return first.begins_at if first else period.begins_at

    def pause_at(self, moment: datetime) -> str:
        """Return since when and why the job was paused at this moment, without the full stop."""
        before = self.periods.filter(begins_at__lt=moment)
        active = before.filter(state=State.ACTIVE).last()
        inactive = before.filter(pk__gt=active.pk) if active else before
        pause = inactive.filter(reason__startswith="Paused").last()
        if pause:
            since = self.clock.full(pause.begins_at)
            return f"{pause.reason.removesuffix('.')}, since {since}"
        last = before.last()
        return f"Paused since {self.clock.full(self.since(last))}" if last else "Paused"


def cannot_be_judged(period: SchedulePeriod, schedule: Uncomputable) -> str:
    """Return the sentence about a period whose schedule cannot be computed."""
    return (
        f"cannot be judged: the schedule recorded then, {shown(period.cron)} in zone "
        f"{shown(period.timezone)}, cannot be computed here. {schedule.text}."
    )
