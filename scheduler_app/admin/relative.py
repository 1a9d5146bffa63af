"""Moments as people speak of them: "in 18 h", "3 min ago", and "03:15 CET" beside it."""

from datetime import datetime, timedelta, tzinfo

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext as _

from scheduler_app.admin.formats import EMPTY, NBSP

DAY, WEEK = timedelta(days=1), timedelta(days=7)


def rough(of: timedelta) -> str:
    """Return a length in its largest unit alone."""
    seconds = abs(of.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size * (2 if unit == "d" else 1):
            return f"{seconds // size:.0f}{NBSP}{unit}"
    return f"{seconds:.0f}{NBSP}s"


def relative(at: datetime | None, now: datetime) -> str:
    """Return how far away the moment is; date, time and zone are under the mouse."""
    if at is None:
        return EMPTY
    words = _("in %s") if at > now else _("%s ago")
    return _time(at, (words % rough(at - now)).replace(" ", NBSP))


def clock(at: datetime, now: datetime, zone: tzinfo | None = None) -> str:
    """Return the time with the zone's abbreviation, and the day unless it is today."""
    return _time(at, plain_clock(at, now, zone), zone)


def plain_clock(at: datetime, now: datetime, zone: tzinfo | None = None) -> str:
    """Return the same as plain text."""
    return f"{_wall(at, now, zone)}{NBSP}{abbreviation(at, zone)}"


def short_clock(at: datetime, now: datetime, zone: tzinfo) -> str:
    """Return the same without the zone, where a heading has that."""
    return _time(at, _wall(at, now, zone), zone)


def abbreviation(at: datetime, zone: tzinfo | None = None) -> str:
    """Return what the zone is called at that moment."""
    return f"{timezone.localtime(at, zone):%Z}"


def _wall(at: datetime, now: datetime, zone: tzinfo | None) -> str:
    local, today = timezone.localtime(at, zone), timezone.localtime(now, zone)
    if local.date() == today.date():
        return f"{local:%H:%M}"
    if abs(at - now) < WEEK - DAY:
        return f"{weekday(local)}{NBSP}{local:%H:%M}"
    day = f"{local:%m-%d}" if local.year == today.year else f"{local:%Y-%m-%d}"
    return f"{day}{NBSP}{local:%H:%M}"


def absolute(at: datetime, zone: tzinfo | None = None) -> str:
    """Return date, time and the zone's abbreviation as plain text."""
    local = timezone.localtime(at, zone)
    return f"{local:%Y-%m-%d %H:%M:%S} {local:%Z}"


def _time(at: datetime, text: str, zone: tzinfo | None = None) -> str:
    iso = timezone.localtime(at, zone).isoformat()
    return format_html('<time datetime="{}" title="{}">{}</time>', iso, absolute(at, zone), text)


def weekday(local: datetime) -> str:
    """Return the short name of the day."""
    return date_format(local, "D")
