"""The time-line as its template draws it: every place is a percentage of the width."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from scheduler_app.admin import formats
from scheduler_app.admin.links import Links
from scheduler_app.models import RunState
from scheduler_app.status.night import TROUBLES
from scheduler_app.status.timeline import Bar, Lane, PlannedBar

MOST_TICKS = 9
THINNEST, THINNEST_TROUBLE = 0.15, 0.4
"""Percent of the width: what is shorter is drawn so wide, not to vanish."""
STEPS = [timedelta(minutes=m) for m in (5, 10, 15, 30, 60, 120, 180, 240, 360, 720, 1440)]


@dataclass(frozen=True, slots=True)
class Scale:
    """Where moments are between two others."""

    begin: datetime
    end: datetime

    def x(self, moment: datetime) -> float:
        return 100 * ((moment - self.begin) / (self.end - self.begin))

    def place(self, moment: datetime) -> str:
        """Return the place in percent of the width, as SVG wants it in every language."""
        return f"{min(max(self.x(moment), 0), 100):.2f}%"

    def width(self, begin: datetime, end: datetime, thinnest: float = THINNEST) -> str:
        return f"{max(self.x(end) - self.x(begin), thinnest):.2f}%"


@dataclass(frozen=True, slots=True)
class Drawn:
    """One bar."""

    x: str
    width: str
    css: str
    title: str
    url: str


@dataclass(frozen=True, slots=True)
class Tick:
    x: str
    label: str
    is_day: bool


@dataclass(frozen=True, slots=True)
class DrawnLane:
    name: str
    url: str
    bars: list[Drawn]
    planned: list[Drawn]


def ticks(scale: Scale) -> list[Tick]:
    """Return a few full hours, as clocks in the current zone show them."""
    whole = scale.end - scale.begin
    step = next((step for step in STEPS if whole / step <= MOST_TICKS), STEPS[-1])
    return [Tick(scale.place(at), _tick_label(at), _is_midnight(at)) for at in _round(scale, step)]


def _round(scale: Scale, step: timedelta) -> Iterator[datetime]:
    """Yield the moments at which local clocks show multiples of the step: each is found anew from
    its day, whatever clocks do there."""
    local = timezone.localtime(scale.begin)
    wall = local.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    while True:
        at = timezone.make_aware(wall)
        if at > scale.end:
            return
        if at > scale.begin:
            yield at
        wall += step


def _tick_label(at: datetime) -> str:
    local = timezone.localtime(at)
    return date_format(local, "D j") if _is_midnight(at) else f"{local:%H:%M}"


def _is_midnight(at: datetime) -> bool:
    local = timezone.localtime(at)
    return local.hour == local.minute == 0


def draw(lane: Lane, scale: Scale, links: Links) -> DrawnLane:
    return DrawnLane(
        name=lane.job_name,
        url=links.job(lane.job_name),
        bars=[_drawn(bar, lane.job_name, scale, links) for bar in lane.bars],
        planned=[_drawn_planned(bar, scale) for bar in lane.planned],
    )


def _drawn(bar: Bar, name: str, scale: Scale, links: Links) -> Drawn:
    return Drawn(
        x=scale.place(bar.begin),
        width=scale.width(
            max(bar.begin, scale.begin),
            bar.end,
            THINNEST_TROUBLE if bar.state in TROUBLES else THINNEST,
        ),
        css=bar.state,
        title=f"{name}: {_told(bar)}",
        url=links.run(bar.run_id),
    )


def _told(bar: Bar) -> str:
    state = RunState(bar.state).label
    if bar.count > 1:
        runs = ngettext("%(count)d run", "%(count)d runs", bar.count) % {"count": bar.count}
        return f"{runs} {state}, {_clock(bar.begin)} \N{EN DASH} {_clock(bar.end)}"
    if bar.begin == bar.end:
        return f"{state}, {_clock(bar.begin)}"
    return f"{state}, {_clock(bar.begin)}, {formats.took(bar.end - bar.begin)}"


def _drawn_planned(bar: PlannedBar, scale: Scale) -> Drawn:
    words = _("paused") if bar.is_paused else _("planned")
    until = f" \N{EN DASH} {_clock(bar.end)}" if bar.end > bar.begin else ""
    return Drawn(
        x=scale.place(bar.begin),
        width=scale.width(bar.begin, bar.end),
        css="paused" if bar.is_paused else "planned",
        title=f"{words}, {_clock(bar.begin)}{until}",
        url="",
    )


def _clock(moment: datetime) -> str:
    local = timezone.localtime(moment)
    return f"{date_format(local, 'D')} {local:%H:%M:%S %Z}"
