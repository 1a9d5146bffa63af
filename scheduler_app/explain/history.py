"""One job's recorded past, as the questions about one moment need it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from zoneinfo import ZoneInfo

from django.db.models import Q

from scheduler_app.cron import Fire, Uncomputable, find_zone
from scheduler_app.ledger import expected
from scheduler_app.ledger.expected import RESOLUTION, Window
from scheduler_app.models import Job, JobRun, SchedulePeriod, timetable_rows
from scheduler_app.text import Clock, shown

State = SchedulePeriod.State


@dataclass(frozen=True)
class Occurrence:
    """One moment of the schedule that held then."""

    fire: Fire
    period: SchedulePeriod


@dataclass
class History:
    """What is known of a job at this moment."""

    job: Job
    now: datetime

    @cached_property
    def clock(self) -> Clock:
        """The job's zone; UTC if this machine does not know that."""
        zone = find_zone(self.job.timezone)
        return Clock(ZoneInfo("UTC") if isinstance(zone, Uncomputable) else zone)

    @cached_property
    def periods(self) -> list[SchedulePeriod]:
        recorded = SchedulePeriod.objects.filter(job_name=self.job.name)
        return list(recorded.order_by("begins_at", "id"))

    @cached_property
    def next_due(self) -> datetime | None:
        entries = timetable_rows().filter(id=self.job.name)
        due_at: datetime | None = entries.values_list("next_run_time", flat=True).first()
        return due_at

    def period_at(self, moment: datetime) -> SchedulePeriod | None:
        """The period in which the moment lies; None: it is before the job was declared."""
        return next((p for p in reversed(self.periods) if p.begins_at < moment), None)

    def occurrences(self, since: datetime, until: datetime) -> list[Occurrence]:
        """Those scheduled from `since` on and before `until`; if there are none, those that jitter
        makes due then. A minute's worth at most should be asked for."""
        found = list(self._scheduled(Window(since, until), since))
        found.sort(key=lambda each: each.fire.scheduled_for)
        return found or list(self._due(since, until))

    def _scheduled(self, window: Window, since: datetime) -> Iterator[Occurrence]:
        for period in self.periods:
            if period.ends_at and period.ends_at < since:
                continue
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
        """Return that, and why, nothing can be told of the schedule that was recorded between these
        moments; empty if all of it can be computed."""
        for period in self.periods:
            if period.begins_at < until and (period.ends_at is None or period.ends_at >= since):
                schedule = period.schedule.compute()
                if isinstance(schedule, Uncomputable):
                    return cannot_be_judged(period, schedule)
        return ""

    def first_attempt(self, fire: Fire) -> JobRun | None:
        """The row that accounts for this occurrence."""
        rows = JobRun.objects.scheduled().filter(job_name=self.job.name, attempt=1)
        moment = fire.scheduled_for
        exact = rows.filter(scheduled_for=moment).first()
        spans_it = Q(first_scheduled_for__lte=moment, scheduled_for__gt=moment)
        return exact or rows.filter(spans_it).order_by("scheduled_for").first()

    def attempts(self, first: JobRun) -> list[JobRun]:
        """All attempts of what this run tried first, in order."""
        return [
            first,
            *JobRun.objects.filter(first_attempt=first).select_related("node").order_by("attempt"),
        ]

    def since(self, period: SchedulePeriod) -> datetime:
        """Since when the job had been in this period's state."""
        begin = period.begins_at
        for earlier in reversed(self.periods[: self.periods.index(period)]):
            if earlier.state != period.state:
                break
            begin = earlier.begins_at
        return begin

    def pause_at(self, moment: datetime) -> str:
        """Since when and why the job was paused at this moment, without the stop at the end."""
        before = [p for p in self.periods if p.begins_at < moment]
        for period in reversed(before):
            if period.state == State.ACTIVE:
                break
            if period.reason.startswith("Paused"):
                since = self.clock.full(period.begins_at)
                return f"{period.reason.removesuffix('.')}, since {since}"
        return f"Paused since {self.clock.full(self.since(before[-1]))}" if before else "Paused"


def cannot_be_judged(period: SchedulePeriod, schedule: Uncomputable) -> str:
    """Return the sentence about a period whose schedule cannot be computed."""
    return (
        f"cannot be judged: the schedule recorded then, {shown(period.cron)} in zone "
        f"{shown(period.timezone)}, cannot be computed here. {schedule.text}."
    )
